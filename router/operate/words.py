"""`status` in words: first what needs somebody's attention, then that the rest is well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.operate.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Status = dict[str, Any]

_FOR_GOOD = "association rejected for good"  # as `router.wire` words it


def needs_attention(status: Status, now: datetime | None = None) -> list[str]:
    """A sentence for everything somebody should look at."""
    now = now or datetime.now(UTC)
    summary = status["summary"]
    return [
        *_storage(status),
        *_configuration(status, now),
        *(f"{each['key']}: {each['says']}" for each in status.get("expiring", ())),
        *(
            sentence
            for destination in summary["destinations"]
            for sentence in _destination(destination, status, now)
        ),
        *(
            f"route {held['route']}: {counted(held['count'], 'copy', 'copies')} held by "
            f"{held['plugin'] or 'an administrator'}: {held['reason']} "
            f"(dicom-router queue list --route {held['route']})"
            for held in summary["held_copies"]
        ),
        *(
            f"{counted(held['count'], 'instance')} held: {held['reason']} (dicom-router queue list)"
            for held in summary["held_instances"]
        ),
        *(
            f"{each['destination']}: {index_trouble(each)}"
            for each in status.get("indexes", ())
            if each["problem"]
        ),
        *(_untold(studies) for studies in summary["studies"] if studies["reason"]),
        *(_refusal(refusal, now) for refusal in summary["refusals"]),
    ]


def index_trouble(index: Status) -> str:
    """What is wrong with a local index, and what to do."""
    if index["rebuilding"]:
        return "its index is being rebuilt; until then queries of it fail"
    return (
        f"its index cannot answer, queries of it fail: {index['problem']} "
        f"(dicom-router index rebuild {index['destination']})"
    )


def _untold(studies: Status) -> str:
    count = counted(studies["count"], "complete study", "complete studies")
    who = studies["plugin"] or "the worker"
    return (
        f"route {studies['route']}: plugin {who} fails to be told of {count}, and is told again: "
        f"{studies['reason']}"
    )


def _refusal(refusal: Status, now: datetime) -> str:
    title, address = refusal["calling_ae_title"], refusal["address"]
    sender = f"{title} ({address})" if title else address  # none where it got no further than TLS
    last = f"last {ago(refusal['last'], now)}"
    if not refusal["status"]:  # an association, not an instance
        rejected = counted(refusal["count"], "association")
        return f"{rejected} from {sender} rejected, {last}: {refusal['reason']}"
    return (
        f"refused at intake: {counted(refusal['count'], 'instance')} from {sender}, {last}, "
        f"0x{refusal['status']:04X}: {refusal['reason']}; the sender must send again"
    )


def describe(status: Status, now: datetime | None = None) -> str:
    """The whole status as text for a terminal."""
    now = now or datetime.now(UTC)
    attention = needs_attention(status, now)
    lines = [_headline(status, now), ""]
    if attention:
        lines += ["Needs attention:", *(f"  - {sentence}" for sentence in attention), ""]
    else:
        lines += ["Nothing needs attention.", ""]
    lines += _listeners(status)
    lines += [_flow(destination, status, now) for destination in status["summary"]["destinations"]]
    lines += [_studies(studies) for studies in status["summary"]["studies"]]
    lines += [
        f"{each['destination']}: its index is being rebuilt; queries are answered meanwhile"
        for each in status.get("indexes", ())
        if each["rebuilding"] and not each["problem"]
    ]
    lines += [_plugin(time) for time in status["plugins"]]
    return "\n".join(map(visible, [*lines, _spool(status)]))


def titles(patterns: Sequence[str]) -> str:
    """What a listener answers to."""
    return "any AE title" if "*" in patterns else ", ".join(patterns)


def size(number: float) -> str:
    """Bytes for people: `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for people, the two largest units at most: `3 h 12 min`."""
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


def _configuration(status: Status, now: datetime) -> Iterator[str]:
    if missing := status.get("web", {}).get("missing"):
        yield f"there is no status page: {missing}"
    if refused := status.get("refused"):
        yield (
            f"the configuration that is there since {since_when(refused['since'], now)} is not in "
            f"effect, generation {status['generation']} is: {refused['reason']}"
        )


def _storage(status: Status) -> Iterator[str]:
    summary, space = status["summary"], status["space"]
    if summary["failed"]:
        yield f"nothing more is accepted: {summary['failed']}; mend that, then restart the router"
    if space["free"] <= space["keep_free"]:
        yield (
            f"disk full: {size(space['free'])} free where {size(space['keep_free'])} are to be "
            f"kept free (spool.keep_free); C-STORE is answered 0xA700 until there is space "
            f"on the disk of {space['directory']}"
        )
    if summary["missing_files"]:
        lost = counted(summary["missing_files"], "instance")
        yield f"the spool has lost the data of {lost} (dicom-router doctor)"


def is_retrieve(destination: Status) -> bool:
    """Whether it is somebody who waits for what he has asked for, not a destination."""
    return str(destination["destination"]).startswith("retrieve:")


def _destination(destination: Status, status: Status, now: datetime) -> Iterator[str]:
    name = destination["destination"]
    where = status["destinations"].get(name, "not in the configuration")
    outage = status["outages"].get(name)
    waits = what_waits(destination)
    if destination["paused"]:
        yield f"{name} is paused; {waits} (dicom-router resume {name})"
    if outage and destination["queued"]:
        since = since_when(outage["since"], now)
        reason = outage["reason"]
        if _FOR_GOOD in reason:
            reason += " - this will not pass: its settings or the AE titles here have to change"
        took = f"; {outage['stand_in']} takes over" if outage.get("stand_in") else ""
        yield f"{name} ({where}) is down since {since}: {reason}; {waits}{took}"
    elif (
        name not in status["destinations"]
        and destination["queued"]
        and not is_retrieve(destination)
    ):
        yield f"{name} is not in the configuration; {waits}"
    elif destination["failing_since"] and destination["queued"]:
        why = destination["last_comment"] or _status(destination["last_status"])
        since = since_when(destination["failing_since"], now)
        yield f"{name} ({where}) fails since {since}: {why}; {waits}"
    if destination["held"]:
        yield (
            f"{name}: {counted(destination['held'], 'delivery', 'deliveries')} held "
            f"(dicom-router queue list --destination {name})"
        )


def what_waits(destination: Status) -> str:
    """How much waits for a destination."""
    if not destination["queued"]:
        return "nothing waits"
    return (
        f"{counted(destination['queued'], 'instance')} of "
        f"{counted(destination['studies_waiting'], 'study', 'studies')} "
        f"({size(destination['bytes_waiting'])}) waiting"
    )


def _headline(status: Status, now: datetime) -> str:
    if not status["running"]:
        return f"No router runs on {status['space']['directory']}; this is its queue."
    started = since_when(status["started"], now)
    return f"dicom-router {status['version']} runs {status['config']} since {started}."


def _listeners(status: Status) -> list[str]:
    return [
        f"{each['name']}: listens on {each['bind']}:{each['port']} as "
        f"{titles(each['ae_title'])}; {counted(each['associations'], 'association')} open"
        for each in status["listeners"]
    ]


def _flow(destination: Status, status: Status, now: datetime) -> str:
    name = destination["destination"]
    where = status["destinations"].get(name, "not in the configuration")
    last = destination["last_success"]
    delivered = f"last delivery {ago(last, now)}" if last else "nothing delivered yet"
    opens = status.get("scheduled", {}).get(name)
    when = f"; outside its schedule until {moment(opens)}" if opens else ""
    return f"{name} ({where}): {what_waits(destination)}{when}; {delivered}"


def _studies(studies: Status) -> str:
    is_ = "is" if studies["count"] == 1 else "are"
    count = counted(studies["count"], "study", "studies")
    if studies["state"] == "gathering":
        return f"route {studies['route']}: {count} {is_} not complete yet"
    return f"route {studies['route']}: {count} {is_} complete, and plugins are still to be told"


def _plugin(time: Status) -> str:
    each, most = time["total"] / time["calls"], time["longest"]
    return (
        f"plugin {time['plugin']}: {time['hook']} called {counted(time['calls'], 'time')}, "
        f"{brief(each)} each, {brief(most)} at most"
    )


def brief(seconds: float) -> str:
    """What may be less than a second: `3.2 ms`."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _spool(status: Status) -> str:
    summary, space = status["summary"], status["space"]
    waiting = summary["copies_waiting"]
    processing = f"; {counted(waiting, 'copy', 'copies')} to be processed" if waiting else ""
    return (
        f"spool {space['directory']}: {counted(summary['instances'], 'instance')}, "
        f"{size(summary['spool_bytes'])}; {size(space['free'])} free{processing}"
    )


def _status(code: int | None) -> str:
    return "no answer" if code is None else f"status 0x{code:04X}"


def since_when(iso: str, now: datetime) -> str:
    """A time on this machine's clock, and how long ago that is."""
    then = datetime.fromisoformat(iso)
    return f"{then.astimezone():%Y-%m-%d %H:%M} ({duration((now - then).total_seconds())})"


def moment(iso: str) -> str:
    """A time to come, with its day of the week."""
    return f"{datetime.fromisoformat(iso):%a %Y-%m-%d %H:%M}"


def ago(iso: str, now: datetime) -> str:
    """How long ago a time is: `4 min ago`."""
    return f"{duration((now - datetime.fromisoformat(iso)).total_seconds())} ago"


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
