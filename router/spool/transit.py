"""Instances in transit: they arrive for one retrieve and leave from memory, without a file.

The upstream still has them, and no retrieve outlives a crash. The ledger is told how they left,
many at a time. What does not fit is spooled like any other instance.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.spool.records import Attempt, DeliveryTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.spool.incoming import IncomingFile
    from router.spool.records import Arrival

LARGEST = 1 << 20  # bytes; of a larger one its file costs little
MOST_WAITING = 8 << 20  # bytes, for one retrieve
MOST_RETRIEVES = 8  # at once
PATIENCE = 1.0  # seconds to wait for room: a destination that is slower than that sets the pace
RECORDED_AT_ONCE = 1000

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Passing:
    """An instance in transit, with its data set."""

    arrival: Arrival
    data: tuple[bytes, ...]

    def task(self) -> DeliveryTask:
        """Its delivery, which the ledger does not know: its id is nobody else's, and negative."""
        arrival = self.arrival
        [copy] = arrival.copies
        return DeliveryTask(
            delivery_id=-next(_numbers),
            instance_id=0,
            destination=copy.destinations[0],
            route=copy.route,
            segments=self.data,
            size=arrival.stored.length,
            bulk=arrival.stored.bulk,
            problem=arrival.stored.problem,
            transfer_syntax=arrival.transfer_syntax,
            sop_class_uid=arrival.sop_class_uid,
            sop_instance_uid=arrival.sop_instance_uid,
            study_instance_uid=arrival.study_instance_uid,
            series_instance_uid=arrival.series_instance_uid,
            association=arrival.association,
            received=arrival.received,
            first_queued=arrival.received,
            attempts=0,
            refusals=0,
            move_originator=arrival.move_originator,
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """How one has left, or why not; `attempt` is None when that was never tried."""

    arrival: Arrival
    attempt: Attempt | None


class Transit:
    """What is in transit for one retrieve, bounded; for any thread. `wake` tells who sends it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Condition()
        self._waiting: deque[Passing] = deque()
        self._bytes = 0
        self._closed = False
        self._passed: list[Passed] = []

    def offer(self, file: IncomingFile, arrival: Arrival) -> bool:
        """Whether the instance at the end of the file is taken from there, and passes. It does
        if it is still in memory, and there is room for it soon.
        """
        data, size = file.held(arrival.stored.offset), arrival.stored.length
        if data is None or arrival.pending:
            return False
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fits(size), PATIENCE)
            if self._closed or not self._fits(size):
                return False
            self._waiting.append(Passing(arrival, data))
            self._bytes += size
        file.discard()
        self._wake()
        return True

    def take(self) -> Passing | None:
        """The next to be sent; to be `note`d then."""
        with self._changed:
            if not self._waiting:
                return None
            passing = self._waiting.popleft()
            self._bytes -= passing.arrival.stored.length
            if self._bytes <= MOST_WAITING // 2:  # not for every one: it costs more than sending
                self._changed.notify_all()
        return passing

    def kinds(self) -> set[tuple[str, str]]:
        """SOP classes and transfer syntaxes of what waits."""
        with self._changed:
            arrivals = [each.arrival for each in self._waiting]
        return {(each.sop_class_uid, each.transfer_syntax) for each in arrivals}

    def note(self, passed: Passed) -> list[Passed]:
        """Keep it to be recorded together with others; those that are due now."""
        with self._changed:
            self._passed.append(passed)
            due = self._closed or len(self._passed) >= RECORDED_AT_ONCE
            return self._take_passed() if due else []

    def close(self) -> list[Passed]:
        """Nothing passes any more; all that is to be recorded."""
        with self._changed:
            self._closed = True
            self._passed += [Passed(passing.arrival, None) for passing in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
            return self._take_passed()

    def _fits(self, size: int) -> bool:
        return self._bytes + size <= MOST_WAITING

    def _take_passed(self) -> list[Passed]:
        passed, self._passed = self._passed, []
        return passed
