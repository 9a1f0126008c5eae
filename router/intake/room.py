"""Whether destinations may have more waiting for them: `spool_limit` and `when_full`."""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from router.status import OUT_OF_RESOURCES
from router.wire import Response

if TYPE_CHECKING:
    from router.config import Config
    from router.spool import Ledger, PlannedCopy

log = logging.getLogger("router.intake")

ALARM_EVERY = 60.0  # seconds

Copies = tuple["PlannedCopy", ...]


class Room:
    """Leaves full destinations out of what is planned, and says so once a minute."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._discarded: Counter[str] = Counter()
        self._said: dict[str, float] = {}

    def allot(self, copies: Copies, size: int, config: Config) -> Copies | Response:
        """The copies with what is full noted, or the refusal of the instance."""
        wanted = {name for copy in copies for name in copy.destinations}
        full = {name for name in wanted if self._is_full(name, size, config)}
        if not full:
            return copies
        for name in sorted(full):
            if config.destinations[name].when_full == "refuse":
                return Response(OUT_OF_RESOURCES, f"Too much waits for {name}; send again later")
        for name in full:
            self._alarm(name)
        return tuple(
            dataclasses.replace(
                copy,
                destinations=tuple(name for name in copy.destinations if name not in full),
                full=tuple(name for name in copy.destinations if name in full),
            )
            for copy in copies
        )

    def _is_full(self, destination: str, size: int, config: Config) -> bool:
        limit = config.destinations[destination].spool_limit
        return limit != math.inf and self._ledger.waiting_bytes(destination) + size > limit

    def _alarm(self, destination: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._discarded[destination] += 1
            if now - self._said.get(destination, -math.inf) < ALARM_EVERY:
                return
            self._said[destination] = now
            count = self._discarded.pop(destination)
        log.error(
            "destination.full destination=%s discarded=%d: its spool_limit is reached",
            destination, count,
        )  # fmt: skip
