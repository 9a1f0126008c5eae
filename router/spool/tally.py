"""What has been recorded since the ledger was opened, counted: for metrics, never for decisions."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Counted = Literal[
    "associations",  # by listener
    "rejected",  # associations, by listener
    "instances",  # accepted, by listener
    "bytes",  # of these
    "refused",  # instances, by listener and status (0x0124)
    "copies",  # decided, by route and state
    "attempts",  # at deliveries, by destination and outcome
    "delivered bytes",  # by destination
    "left out",  # copies a destination did not get since its spool_limit was reached
]
Key = tuple[str, ...]  # what is counted, then by what


class Tally:
    """`add` is the writer's, and counts once what it was part of is committed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[Key] = Counter()
        self._changes: Counter[Key] = Counter()

    def add(self, what: Counted, *by: str, amount: int = 1) -> None:
        self._changes[what, *by] += amount

    def committed(self) -> None:
        if self._changes:
            with self._lock:
                self._counted.update(self._changes)
            self._changes.clear()

    def rolled_back(self) -> None:
        self._changes.clear()

    def note(self, what: Counted, *by: str) -> None:
        """Count what needs no commit, from any thread."""
        with self._lock:
            self._counted[what, *by] += 1

    def read(self) -> Mapping[Key, int]:
        """What there is at this moment."""
        with self._lock:
            return dict(self._counted)
