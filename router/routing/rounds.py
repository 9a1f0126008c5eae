"""What looks for work in the ledger, has workers do it, and looks again."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.routing.pool import WorkerPool
    from router.spool.ledger import Ledger

log = logging.getLogger("router.routing")

_AFTER_FAILURE = 5.0  # seconds before a ledger that could not be read is asked again
_AT_LEAST_EVERY = 60.0  # seconds between two looks into the ledger


class Rounds(ABC):
    """A thread of that name that works whenever the ledger says something about `topic`, and by
    itself when something is due; it pauses for so many seconds between two rounds.
    """

    def __init__(
        self, ledger: Ledger, pool: WorkerPool, topic: str, name: str, pause: float = 0.0
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._topic = topic
        self._pause = pause
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._landed = threading.Condition()
        self._in_flight: set[int] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._in_flight)} {self._topic} in flight)"

    def start(self) -> None:
        self._ledger.subscribe(self._notice)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Begin nothing more, wait so long for what is in flight; the rest waits for a start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        with self._landed:
            self._landed.wait_for(lambda: not self._in_flight, timeout)
        self._pool.stop()

    @abstractmethod
    def _work(self) -> float:
        """Begin what there is; the seconds until there may be more, if nobody says so before."""

    def _notice(self, topics: set[str]) -> None:
        if self._topic in topics:
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                idle = self._work()
            except Exception:  # of many kinds; a thread that ended would never be missed
                log.exception("%s.failed", self._thread.name)
                idle = 0.0
                self._stopping.wait(_AFTER_FAILURE)
            self._wake.wait(idle)
            self._stopping.wait(self._pause)

    def _begun(self, number: int) -> None:
        with self._landed:
            self._in_flight.add(number)

    def _ended(self, number: int) -> None:
        with self._landed:
            self._in_flight.discard(number)
            self._landed.notify_all()
        self._wake.set()


def seconds_until(due: datetime | None) -> float:
    """How long nothing may happen that is due then."""
    if due is None:
        return _AT_LEAST_EVERY
    return min(max(0.0, (due - datetime.now(UTC)).total_seconds()), _AT_LEAST_EVERY)
