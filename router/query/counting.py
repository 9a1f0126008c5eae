"""What became of the instances of one retrieve, counted where they are delivered."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from router.wire import QueryResponse, SubOperations


@dataclass
class Tally:
    """Counts of what was sent to the requestor; UIDs are those that leave. For any thread."""

    completed: int = 0
    warning: int = 0
    failed: dict[str, str] = field(default_factory=dict)  # reasons by SOP Instance UID
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, status: int | None) -> None:
        with self.lock:
            if status:
                self.warning += 1
            else:
                self.completed += 1

    def refused(self, sop_instance_uid: str, reason: str) -> None:
        with self.lock:
            self.failed[sop_instance_uid] = reason

    @property
    def settled(self) -> int:
        with self.lock:
            return self.completed + self.warning + len(self.failed)


class Announced:
    """What upstreams have said of how much there is: the highest total each has named."""

    def __init__(self) -> None:
        self._latest: dict[int, SubOperations] = {}
        self._totals: dict[int, int] = {}

    def note(self, upstream: int, response: QueryResponse) -> None:
        if response.counts is not None:
            self._latest[upstream] = response.counts
            known = self._totals.get(upstream, 0)
            self._totals[upstream] = max(known, response.counts.total)

    @property
    def total(self) -> int:
        return sum(self._totals.values())

    @property
    def sent(self) -> int:
        """How many they say that they have sent."""
        return sum(counts.completed + counts.warning for counts in self._latest.values())

    @property
    def failed(self) -> int:
        return sum(counts.failed for counts in self._latest.values())

    @property
    def summed(self) -> SubOperations | None:
        """All their counts, as of one; None when nobody has said any."""
        if not self._latest:
            return None
        latest = self._latest.values()
        remaining = [counts.remaining for counts in latest if counts.remaining is not None]
        return SubOperations(
            sum(remaining) if remaining else None,
            sum(counts.completed for counts in latest),
            sum(counts.failed for counts in latest),
            sum(counts.warning for counts in latest),
        )
