"""All destinations at work: a backlog and its lanes for each, woken by the ledger."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from router.config import DicomDestination, FolderDestination
from router.delivery.ahead import Offer
from router.delivery.backlog import Backlog
from router.delivery.dicom import DicomSender
from router.delivery.folder import FolderSender
from router.delivery.lane import Lane
from router.delivery.outgoing import PluginSender, RewritingSender
from router.delivery.probe import probe
from router.spool import Selection, as_sender

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import tzinfo

    from router.config import AnyDestination, DestinationConfig
    from router.delivery.breaker import Outage
    from router.delivery.outgoing import Hooks, TaskSender
    from router.spool import Indexes, Ledger

log = logging.getLogger("router.delivery")

_TOPIC = "destination:"


class Deliveries:
    """Sends what the ledger has for each configured destination, each on its own."""

    def __init__(
        self,
        ledger: Ledger,
        destinations: Mapping[str, AnyDestination],
        hooks: Hooks,
        timezone: tzinfo | None = None,
        indexes: Indexes | None = None,
    ) -> None:
        """`timezone` is that of schedules, the machine's own without; `indexes` are of folders."""
        self._ledger = ledger
        self._hooks = hooks
        self._indexes = indexes
        self._lock = threading.Lock()
        self._lanes: dict[str, list[Lane]] = {}
        self._numbers = itertools.count()
        self._destinations = destinations
        self._backlogs = {
            name: self._backlog(name, settings, timezone) for name, settings in destinations.items()
        }

    def _backlog(self, name: str, settings: AnyDestination, timezone: tzinfo | None) -> Backlog:
        return Backlog(
            settings,
            self._ledger,
            as_sender(name, settings),
            covered=partial(self._covered, name),
            fell=partial(self._told, {_TOPIC + name}),
            timezone=timezone,
        )

    def start(self) -> None:
        self._ledger.subscribe(self._told)
        self._look_after(self._backlogs)

    def _look_after(self, names: Iterable[str]) -> None:
        waiting = [name for name in names if self._ledger.count(Selection(destination=name))]
        self._told({_TOPIC + name for name in waiting})

    def follow(
        self,
        destinations: Mapping[str, AnyDestination],
        timezone: tzinfo | None,
        renewed: Collection[str] = (),
    ) -> None:
        """These are the destinations from now on. What waits goes by them; what is under way ends
        as it began. Those whose settings are the same are left alone, unless they are `renewed`.
        """
        before, backlogs = self._destinations, self._backlogs
        self._destinations, self._backlogs = (
            destinations,
            {
                name: backlogs.get(name) or self._backlog(name, settings, timezone)
                for name, settings in destinations.items()
            },
        )
        changed = []
        for name, backlog in self._backlogs.items():
            backlog.timezone = timezone
            if name not in before:
                changed.append(name)
            elif before[name] != destinations[name] or name in renewed:
                self._renew(backlog, destinations[name])
                changed.append(name)
        for name in backlogs.keys() - destinations.keys():
            backlogs[name].close()
        self._look_after(changed)

    def _renew(self, backlog: Backlog, settings: AnyDestination) -> None:
        """Have lanes of the new settings take over from those there are, if there are any."""
        with self._lock:
            running = self._lanes.pop(backlog.name, [])
            self._begin(backlog, settings, running, wanted=bool(running))

    def _begin(
        self,
        backlog: Backlog,
        settings: DestinationConfig,
        ending: Iterable[Lane] = (),
        wanted: bool = True,
    ) -> None:
        name = backlog.name
        moved = _place(settings) != _place(backlog.settings)
        lanes = self._made_lanes(backlog, settings) if wanted else []
        backlog.follow(settings, as_sender(name, settings), {each.number for each in lanes}, moved)
        if lanes:
            self._lanes[name] = [*lanes, *(lane for lane in ending if lane.is_alive())]
        for lane in lanes:
            lane.start()

    def stop(self, timeout: float) -> None:
        """Let every lane end the delivery it is at; what takes longer is sent again next time."""
        for backlog in self._backlogs.values():
            backlog.close()
        deadline = time.monotonic() + timeout
        with self._lock:
            lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        for lane in lanes:
            lane.join(max(deadline - time.monotonic(), 0))

    def outages(self) -> dict[str, Outage]:
        """The destinations that fail at the moment."""
        return {name: backlog.outage for name, backlog in self._backlogs.items() if backlog.outage}

    def stand_in(self, name: str) -> str | None:
        """Who sends in the stead of a destination that is down."""
        taker = self._takers(name)[-1]
        return None if taker == name else taker

    def try_now(self, name: str | None = None) -> None:
        """Do not wait out the silence after a failure: somebody says that it is worth trying."""
        for backlog in self._backlogs.values():
            if name in (None, backlog.name):
                backlog.try_now()

    def _told(self, topics: set[str]) -> None:
        for topic in topics:
            if topic.startswith(_TOPIC):
                for name in self._takers(topic.removeprefix(_TOPIC)):
                    self._start_lanes(self._backlogs[name])
                    self._backlogs[name].wake()

    def _takers(self, destination: str) -> list[str]:
        """Who may send what is for this destination: itself and, while it is down, its fallback,
        then that one's while it is down as well.
        """
        takers = [destination] if destination in self._backlogs else []
        while takers and self._backlogs[takers[-1]].is_down:
            fallback = self._destinations[takers[-1]].fallback
            if fallback not in self._backlogs:
                break
            takers.append(fallback)
        return takers

    def _covered(self, name: str) -> list[str]:
        """The destinations that `name` stands in for now: those whose other fallbacks are down."""
        return [
            other for other in self._backlogs if other != name and self._takers(other)[-1] == name
        ]

    def _start_lanes(self, backlog: Backlog) -> None:
        """Threads are made for destinations that get something, not for all that are configured."""
        with self._lock:
            if backlog.name in self._lanes or backlog.closed:
                return
            self._begin(backlog, backlog.settings)

    def _made_lanes(self, backlog: Backlog, settings: DestinationConfig) -> list[Lane]:
        probing = partial(probe, settings) if isinstance(settings, DicomDestination) else None
        ended = self._hooks.ended if self._hooks.tells(backlog.name) else None
        opened = partial(self._open_sender, backlog, settings, Offer())
        numbers = itertools.islice(self._numbers, settings.associations)
        return [Lane(number, backlog, opened, probing, ended) for number in numbers]

    def _open_sender(
        self, backlog: Backlog, settings: DestinationConfig, offer: Offer
    ) -> TaskSender:
        sender = self._sender(backlog, settings, offer)
        if self._hooks.rewrites(backlog.name):
            return RewritingSender(sender, self._hooks)
        return sender

    def _sender(self, backlog: Backlog, settings: DestinationConfig, offer: Offer) -> TaskSender:
        if isinstance(settings, DicomDestination):
            return DicomSender(settings, backlog.upcoming_kinds, self._hooks, offer=offer)
        if isinstance(settings, FolderDestination):
            index = None
            if settings.index and self._indexes is not None:
                index = self._indexes.of(backlog.name, settings.directory)
            return FolderSender(settings, self._hooks, index)
        return PluginSender(self._hooks.open(backlog.name), self._hooks)


def _place(settings: DestinationConfig) -> object:
    """Where an association leads: while one to somewhere else ends, new ones need not wait."""
    if not isinstance(settings, DicomDestination):
        return settings.type
    return settings.host, settings.port, settings.ae_title
