"""All destinations at work: a backlog and its lanes for each, woken by the ledger."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from router.config import DicomDestination, FolderDestination
from router.delivery.backlog import Backlog
from router.delivery.dicom import DicomSender
from router.delivery.folder import FolderSender
from router.delivery.lane import Lane
from router.delivery.outgoing import PluginSender, RewritingSender
from router.delivery.probe import probe
from router.spool import Selection, as_sender

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from router.config import AnyDestination
    from router.delivery.breaker import Outage
    from router.delivery.outgoing import Hooks, TaskSender
    from router.spool import Ledger

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
    ) -> None:
        """`timezone` is that of schedules, the machine's own without."""
        self._ledger = ledger
        self._hooks = hooks
        self._lock = threading.Lock()
        self._lanes: dict[str, list[Lane]] = {}
        self._destinations = destinations
        self._backlogs = {
            name: Backlog(
                settings,
                ledger,
                as_sender(name, settings),
                covered=partial(self._covered, name),
                fell=partial(self._told, {_TOPIC + name}),
                timezone=timezone,
            )
            for name, settings in destinations.items()
        }

    def start(self) -> None:
        self._ledger.subscribe(self._told)
        self._told(
            {
                _TOPIC + name
                for name in self._backlogs
                if self._ledger.count(Selection(destination=name))
            }
        )

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
            if fallback is None:
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
            settings = backlog.settings
            probing = partial(probe, settings) if isinstance(settings, DicomDestination) else None
            ended = self._hooks.ended if self._hooks.tells(backlog.name) else None
            lanes = [
                Lane(number, backlog, lambda: self._open_sender(backlog), probing, ended)
                for number in range(backlog.settings.associations)
            ]
            self._lanes[backlog.name] = lanes
            for lane in lanes:
                lane.start()

    def _open_sender(self, backlog: Backlog) -> TaskSender:
        sender = self._sender(backlog)
        if self._hooks.rewrites(backlog.name):
            return RewritingSender(sender, self._hooks)
        return sender

    def _sender(self, backlog: Backlog) -> TaskSender:
        settings = backlog.settings
        if isinstance(settings, DicomDestination):
            return DicomSender(settings, backlog.upcoming_kinds, self._hooks)
        if isinstance(settings, FolderDestination):
            return FolderSender(settings, self._hooks)
        return PluginSender(self._hooks.open(backlog.name), self._hooks)
