"""How the router stands as metrics for Prometheus: names of the configuration only as labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from router.operate.words import is_retrieve

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from router.operate.words import Status

Tally = Mapping[tuple[str, ...], int]
Samples = Iterable[tuple[tuple[str, ...], float]]

_OPEN_METRICS = "application/openmetrics-text"
_OUTCOMES = ("delivered", "retry", "refused", "held")
_COPY_STATES = ("processed", "skipped", "held")


def exposition(status: Status, tally: Tally, accept: str) -> tuple[bytes, str]:
    """The text, and its content type: OpenMetrics where that is asked for."""
    wanted = f"{_OPEN_METRICS}; version=1.0.0" if _OPEN_METRICS in accept else ""
    encode, content_type = choose_encoder(wanted)
    return encode(Metrics(status, tally)), content_type


class Metrics(Collector):
    """One scrape: what `status` knows now, and what was counted since the router started."""

    def __init__(self, status: Status, tally: Tally) -> None:
        self._status = status
        self._tally = tally
        self._now = datetime.now(UTC)

    def collect(self) -> Iterator[Metric]:
        yield _gauge("info", "The version that runs.", ("version",),
                     [((self._status["version"],), 1)])  # fmt: skip
        yield from self._intake()
        yield from self._copies()
        yield from self._deliveries()
        yield from self._destinations()
        yield from self._configuration()
        yield from self._plugins()
        yield from self._spool()
        yield from ProcessCollector(registry=None).collect()

    def _intake(self) -> Iterator[Metric]:
        listeners = [(each["name"],) for each in self._status["listeners"]]
        label = ("listener",)
        for what, name, told in (
            ("instances", "instances_received", "Instances accepted, since the start."),
            ("bytes", "received_bytes", "Their data sets."),
            ("associations", "associations_accepted", "Associations begun."),
            ("rejected", "associations_rejected", "Associations rejected, or closed before."),
        ):
            yield _counter(name, told, label, self._counted(what, listeners))
        refused = self._counted("refused", [])
        yield _counter(
            "instances_refused", "C-STORE answered with a failure, by its status.",
            ("listener", "status"), refused,
        )  # fmt: skip
        opened = [((each["name"],), each["associations"]) for each in self._status["listeners"]]
        yield _gauge("associations_open", "Associations open with a listener.", label, opened)

    def _copies(self) -> Iterator[Metric]:
        summary = self._status["summary"]
        known = [(name, state) for name in self._status["routes"] for state in _COPY_STATES]
        yield _counter("copies", "What became of routes' copies.", ("route", "state"),
                       self._counted("copies", known))  # fmt: skip
        yield _one("copies_waiting", "To be processed by chains.", summary["copies_waiting"])
        held: dict[str, int] = {}
        for each in summary["held_copies"]:
            held[each["route"]] = held.get(each["route"], 0) + each["count"]
        yield _gauge("copies_held", "Held by a chain or by a person.", ("route",),
                     [((route,), count) for route, count in held.items()])  # fmt: skip
        yield _one("instances_held", "That no route wanted, held.",
                   sum(each["count"] for each in summary["held_instances"]))  # fmt: skip
        studies = [((each["route"], each["state"]), each["count"]) for each in summary["studies"]]
        yield _gauge("studies", "That gather, or are complete and plugins are still to be told.",
                     ("route", "state"), _summed(studies))  # fmt: skip

    def _deliveries(self) -> Iterator[Metric]:
        names = [(name,) for name in self._status["destinations"]]
        tries = [(*name, outcome) for name in names for outcome in _OUTCOMES]
        label = ("destination",)
        yield _counter("delivery_attempts", "Tries, by how they ended.",
                       (*label, "outcome"), self._counted("attempts", tries))  # fmt: skip
        yield _counter("delivered_bytes", "What a destination has taken.", label,
                       self._counted("delivered bytes", names))  # fmt: skip
        yield _counter("deliveries_left_out", "Not made, since spool_limit was reached.", label,
                       self._counted("left out", names))  # fmt: skip

    def _destinations(self) -> Iterator[Metric]:
        found = self._status["summary"]["destinations"]
        rows = {each["destination"]: each for each in found if not is_retrieve(each)}
        known = dict.fromkeys([*self._status["destinations"], *rows])
        label = ("destination",)

        def gauge(name: str, told: str, value: Any) -> Metric:  # noqa: ANN401
            samples = [((each,), value(each, rows.get(each, {}))) for each in known]
            return _gauge(name, told, label, [(at, v) for at, v in samples if v is not None])

        states = [
            ((name, state), rows.get(name, {}).get(key, 0))
            for name in known
            for state, key in (("waiting", "queued"), ("sending", "sending"), ("held", "held"))
        ]
        yield _gauge("deliveries", "Deliveries not done; those waiting include those sending.",
                     ("destination", "state"), states)  # fmt: skip
        outages, alarms = self._status["outages"], self._status["alarms"]
        for name, told, value in (
            ("waiting_bytes", "What waits.", lambda _, row: row.get("bytes_waiting", 0)),
            ("waiting_studies", "Studies of it.", lambda _, row: row.get("studies_waiting", 0)),
            ("oldest_waiting_seconds", "How long the oldest has been waiting; 0: nothing waits.",
             lambda _, row: self._age(row.get("oldest"))),
            ("destination_up", "0 while it is down.", lambda each, _: each not in outages),
            ("destination_paused", "1 while a person has it paused.",
             lambda _, row: row.get("paused", False)),
            ("destination_alarms", "How many times of alerts.after its trouble has lasted.",
             lambda each, _: alarms.get(each, 0)),
            ("last_delivery_timestamp_seconds", "When it last took something.",
             lambda _, row: _seconds(row.get("last_success"))),
        ):  # fmt: skip
            yield gauge(name, told, value)

    def _configuration(self) -> Iterator[Metric]:
        status = self._status
        yield _one("generation", "The number of the configuration in effect.", status["generation"])
        yield _one("config_in_effect", "0 while the files there are were refused.",
                   not status["refused"])  # fmt: skip
        yield _one("config_applied_timestamp_seconds", "When it took effect.",
                   _seconds(status["applied"]) or 0)  # fmt: skip
        reloads = [((result,), count) for result, count in status["reloads"].items()]
        yield _counter("reloads", "Reloads, by what came of them.", ("result",), reloads)

        yield _one("certificates_expiring", "And revocation lists, somewhere in the configuration.",
                   len(status["expiring"]))  # fmt: skip

    def _plugins(self) -> Iterator[Metric]:
        told = "Time in hooks of plugins."
        family = SummaryMetricFamily("dicom_router_plugin_seconds", told, labels=("plugin", "hook"))
        for (plugin, hook), (calls, total) in self._plugin_times().items():
            family.add_metric((plugin, hook), calls, total)
        yield family

    def _plugin_times(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Of those that copies and those that complete studies take, together."""
        found: dict[tuple[str, str], tuple[int, float]] = {}
        for each in self._status["plugins"]:
            key = each["plugin"], each["hook"]
            calls, total = found.get(key, (0, 0.0))
            found[key] = calls + each["calls"], total + each["total"]
        return found

    def _spool(self) -> Iterator[Metric]:
        summary, space = self._status["summary"], self._status["space"]
        for name, told, value in (
            ("spool_free_bytes", "Free where the spool is.", space["free"]),
            ("spool_keep_free_bytes", "With less free, nothing is accepted.", space["keep_free"]),
            ("spool_bytes", "Data sets in the spool.", summary["spool_bytes"]),
            ("spool_instances", "Instances in the spool.", summary["instances"]),
            ("spool_missing_files", "Instances whose data is lost.", summary["missing_files"]),
            ("spool_failed", "1: nothing is accepted until a restart.", bool(summary["failed"])),
        ):
            yield _one(name, told, value)

    def _counted(self, what: str, known: Iterable[tuple[str, ...]]) -> Samples:
        """Counters that are known to come begin with 0: else their first count is no increase."""
        found: dict[tuple[str, ...], float] = dict.fromkeys(known, 0)
        found |= {key[1:]: count for key, count in self._tally.items() if key[0] == what}
        return found.items()

    def _age(self, iso: str | None) -> float:
        return (self._now - datetime.fromisoformat(iso)).total_seconds() if iso else 0.0


def _gauge(name: str, told: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"dicom_router_{name}", told, labels=labels)
    for at, value in samples:
        family.add_metric(at, float(value))
    return family


def _counter(name: str, told: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = CounterMetricFamily(f"dicom_router_{name}", told, labels=labels)
    for at, value in samples:
        family.add_metric(at, float(value))
    return family


def _one(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"dicom_router_{name}", told, value=float(value))


def _summed(samples: Samples) -> Samples:
    found: dict[tuple[str, ...], float] = {}
    for at, value in samples:
        found[at] = found.get(at, 0) + value
    return found.items()


def _seconds(iso: str | None) -> float | None:
    return datetime.fromisoformat(iso).timestamp() if iso else None
