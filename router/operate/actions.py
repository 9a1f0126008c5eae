"""What an administrator asks of the queue: the same answers from a running router's socket and,
where none runs, from the ledger itself.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from router.config import DicomDestination, FolderDestination
from router.config.expiry import expiring
from router.config.lints_of_conditions import deidentifies
from router.config.schedule import is_open, opens
from router.operate.control import WrongUsage
from router.spool import Selection, index_states
from router.spool.reports import DestinationSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Future

    from router.config import AnyDestination, Config
    from router.spool import Spool
    from router.spool.reports import Summary

Json = Any
_T = TypeVar("_T")

_WRITTEN_WITHIN = 60.0  # seconds; millions of rows change in less


class Actions:
    """Each public method is an action of the control socket: JSON values in, JSON values out."""

    def __init__(self, spool: Spool, config: Config) -> None:
        self.spool = spool
        self.config = config

    def table(self) -> dict[str, Callable[..., Json]]:
        return {
            "status": self.status,
            "queue list": self.list,
            "queue count": self.count,
            "queue retry": self.retry,
            "queue hold": self.hold,
            "queue release": self.release,
            "queue discard": self.discard,
            "queue first": self.first,
            "queue move": self.move,
            "queue resend": self.resend,
            "doctor": self.doctor,
            "pause": self.pause,
            "resume": self.resume,
            "where": self.where,
        }

    def status(self) -> Json:
        """How everything stands, see `words`; a running router adds what only it knows."""
        keep_free = self.config.spool.keep_free
        now = datetime.now(self.config.timezone)
        return {
            "running": False,
            "listeners": [],
            "outages": {},
            "plugins": [],
            "destinations": {
                name: address(settings) for name, settings in self.config.destinations.items()
            },
            "scheduled": {
                name: opens(settings.schedule, now).isoformat()
                for name, settings in self.config.destinations.items()
                if not is_open(settings.schedule, now)
            },
            "space": {
                "directory": str(self.spool.directory),
                "free": self.spool.free_bytes(),
                "keep_free": keep_free,
            },
            "expiring": [
                {"key": ".".join(each.place), "stage": each.stage, "says": str(each)}
                for each in expiring(self.config, datetime.now(UTC))
            ],
            "indexes": self._indexes(),
            "summary": plain(self._summary()),
        }

    def _summary(self) -> Summary:
        """The ledger's, which knows destinations by what went there, with all there are."""
        found = self.spool.ledger.summary()
        there = {each.destination: each for each in found.destinations}
        for name in self.config.destinations:
            there.setdefault(name, DestinationSummary(destination=name))
        everywhere = tuple(there[name] for name in sorted(there))
        return replace(found, destinations=everywhere)

    def list(self, limit: int = 1000, **selection: str | None) -> Json:
        return plain(self.spool.ledger.list(self._selection(selection), limit))

    def count(self, **selection: str | None) -> int:
        return self.spool.ledger.count(self._selection(selection))

    def retry(self, **selection: str | None) -> int:
        chosen = self._selection(selection)
        told = _wait(self.spool.ledger.retry_studies(chosen))
        return told + _wait(self.spool.ledger.retry(chosen))

    def hold(self, why: str, **selection: str | None) -> int:
        return _wait(self.spool.ledger.hold(self._selection(selection), why))

    def release(self, **selection: str | None) -> int:
        return _wait(self.spool.ledger.release(self._selection(selection)))

    def discard(self, why: str, **selection: str | None) -> int:
        if not why.strip():
            raise WrongUsage("discarding wants a reason")
        chosen = self._selection(selection)
        untold = _wait(self.spool.ledger.give_up_studies(chosen, why))
        return untold + _wait(self.spool.ledger.discard(chosen, why))

    def first(self, **selection: str | None) -> int:
        return _wait(self.spool.ledger.first(self._selection(selection)))

    def move(self, to: str, **selection: str | None) -> int:
        self._require(to)
        self._say_whose_copies(to, selection.get("route"))
        return _wait(self.spool.ledger.move(self._selection(selection), to))

    def resend(self, to: str, since: float | None = None, **selection: str | None) -> int:
        """`since` is how many seconds ago what is meant came at the earliest."""
        self._require(to)
        if selection.get("destination") != to:
            self._say_whose_copies(to, selection.get("route"))
        earliest = None if since is None else datetime.now(UTC) - timedelta(seconds=since)
        return self.spool.resend(to, _selection(selection), earliest)

    def doctor(self, repair: bool = False) -> Json:
        ill = [each for each in self._indexes() if each["problem"]]
        return plain(self.spool.examine(repair)) | {"indexes": ill}

    def _indexes(self) -> Json:
        return plain(index_states(self.spool.directory, self.config.destinations))

    def pause(self, destination: str) -> None:
        self._require(destination)
        _wait(self.spool.ledger.pause(destination))

    def resume(self, destination: str) -> None:
        self._require(destination)
        _wait(self.spool.ledger.resume(destination))

    def where(
        self,
        uid: str | None = None,
        accession_number: str | None = None,
        patient_id: str | None = None,
    ) -> Json:
        trail = self.spool.ledger.where(
            uid, accession_number=accession_number, patient_id=patient_id
        )
        return plain(trail)

    def _selection(self, selection: dict[str, str | None]) -> Selection:
        """What is meant; WrongUsage for names that neither the configuration nor the queue has."""
        chosen = _selection(selection)
        if chosen.destination and not self.spool.ledger.count(
            Selection(destination=chosen.destination)
        ):
            self._require(chosen.destination)
        if chosen.route and not self.spool.ledger.count(Selection(route=chosen.route)):
            _require("route", chosen.route, [route.name for route in self.config.routes])
        return chosen

    def _say_whose_copies(self, to: str, route: str | None) -> None:
        """Refuse to guess which copies may leave the house: some say who the patient is."""
        settings = self.config.destinations[to]
        if settings.outside and not deidentifies(settings.chain) and route is None:
            raise WrongUsage(
                f"{to} is outside: say with --route which route's copies may leave for it"
            )

    def _require(self, destination: str) -> None:
        _require("destination", destination, self.config.destinations)


def address(settings: AnyDestination) -> str:
    """Where a destination is, for people."""
    if isinstance(settings, DicomDestination):
        return f"{settings.ae_title}@{settings.host}:{settings.port}"
    if isinstance(settings, FolderDestination):
        return str(settings.directory)
    return settings.type


def plain(value: object) -> Json:
    """Records as JSON: dataclasses as mappings, times in ISO 8601."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _selection(selection: dict[str, str | None]) -> Selection:
    chosen = Selection(
        destination=selection.pop("destination", None),
        study_instance_uid=selection.pop("study", None),
        route=selection.pop("route", None),
        reason=selection.pop("reason", None),
    )
    if selection:
        raise ValueError(f"cannot select by {', '.join(selection)}")
    return chosen


def _require(kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise WrongUsage(f"there is no {kind} {name!r}; there are: {', '.join(known) or 'none'}")


def _wait(future: Future[_T]) -> _T:
    return future.result(_WRITTEN_WITHIN)
