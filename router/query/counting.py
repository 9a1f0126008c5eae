"""What became of the instances of one retrieve, counted where they are delivered."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.wire import QueryResponse, SubOperations

if TYPE_CHECKING:
    from collections.abc import Set


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
    """What upstreams have said of how much there is: the highest total each has named.

    `named` are those that one could not send, `listed` those that one was asked for one by one.
    """

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.listed: set[str] = set()
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

    def missing(self, taken: Set[str]) -> Set[str]:
        """What should have come, and has not come from another one either."""
        return (self.named | self.listed) - taken

    def refused(self, taken: Set[str], known: Set[str] | None) -> int:
        """How many did not come at all; `known` is all there is, where that is known."""
        refused = self.failed - len(self.named & taken)
        if known is not None:
            refused = min(refused, len(known - taken))
        return max(refused, len(self.missing(taken)))

    def extent(self, taken: Set[str], arrivals: int, known: Set[str] | None) -> int:
        """How many there are, each once, though several upstreams may announce and send it."""
        refused = self.refused(taken, known)
        total = self.total - (arrivals - len(taken)) - max(self.failed - refused, 0)
        if known is not None:
            total = min(total, len(known | taken))
        return max(total, len(taken) + refused)

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
