"""Who works on what: claims are kept in memory, since on SQLite there is one process.

A claim is dropped only at the start of the next claim, before that looks at the database: what
was finished is then seen as finished, and cannot be handed out once more by a read that began
before the commit.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from router.spool.codec import now_microseconds, optional_time, to_microseconds
from router.spool.records import WaitingStudy
from router.spool.repeats import AFTER_ANOTHER
from router.spool.studies import WaitingDeliveries
from router.spool.tasks import copy_task, delivery_task, released_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    import apsw

    from router.spool.codec import Paths
    from router.spool.records import CopyTask, DeliveryTask, ReleasedInstance, StandIn

    Choose = Callable[[Sequence[WaitingStudy]], int | None]

MOST_BYTES = (
    64 << 20
)  # of a study at a time, and one instance more: others may be waiting to overtake
RECEIVED = """
SELECT id FROM copies INDEXED BY copies_received WHERE state = 'received'
ORDER BY priority DESC, instance, id LIMIT ?
"""
HELD_UNTIL_NOW = """
SELECT id FROM copies INDEXED BY copies_held WHERE state = 'held' AND retry_at <= ?
ORDER BY retry_at LIMIT ?
"""
QUEUED = """
SELECT -priority, study, id FROM deliveries INDEXED BY deliveries_queued
WHERE destination = ? AND state = 'queued' ORDER BY priority DESC, study, id LIMIT ?
"""
WAITED = """
SELECT -priority, study, id FROM deliveries INDEXED BY deliveries_waiting
WHERE destination = ? AND state = 'waiting' AND due <= ? ORDER BY due LIMIT ?
"""
OVERDUE = f"""
SELECT id FROM deliveries INDEXED BY deliveries_queued
WHERE destination = :to AND state = 'queued' AND first_queued < :before
UNION ALL SELECT id FROM deliveries INDEXED BY deliveries_waiting
WHERE destination = :to AND state = 'waiting' AND due < {AFTER_ANOTHER} AND first_queued < :before
LIMIT :limit
"""
RELEASED = """
SELECT id FROM instances INDEXED BY instances_released WHERE state = 'released'
ORDER BY received LIMIT ?
"""
NEXT_COPIES = """
SELECT id, retry_at FROM copies INDEXED BY copies_held
WHERE state = 'held' AND retry_at IS NOT NULL ORDER BY retry_at LIMIT ?
"""
NEXT_DELIVERIES = """
SELECT id, due FROM deliveries INDEXED BY deliveries_waiting
WHERE destination = ? AND state = 'waiting' ORDER BY due LIMIT ?
"""


class Claims:
    """Hands out tasks; `connection` is its own, used under its lock, in one snapshot per claim."""

    def __init__(self, connection: apsw.Connection, paths: Paths) -> None:
        self._connection = connection
        self._paths = paths
        self._lock = threading.Lock()
        self._copies: set[int] = set()
        self._deliveries: defaultdict[str, set[int]] = defaultdict(set)
        self._destinations: dict[int, str] = {}  # of the claimed deliveries
        self._withdrawn: set[int] = set()  # those of them that are not to be sent after all
        self._ended_copies: deque[int] = deque()
        self._ended_deliveries: deque[int] = deque()
        self._ended_destinations: deque[str] = deque()

    def __repr__(self) -> str:
        return f"Claims({len(self._copies)} copies, {len(self._destinations)} deliveries)"

    def copies(self, limit: int, now: datetime | None) -> list[CopyTask]:
        with self._lock, self._connection:
            self._drop_ended()
            most = limit + len(self._copies)
            found = self._rows(HELD_UNTIL_NOW, (now_microseconds(now), most))
            found += self._rows(RECEIVED, (most,))
            rows = [row for (row,) in found if row not in self._copies][:limit]
            tasks = [copy_task(self._connection, row, self._paths) for row in rows]
            self._copies.update(rows)
        return tasks

    def deliveries(self, destination: str, limit: int, now: datetime | None) -> list[DeliveryTask]:
        with self._lock, self._connection:
            self._drop_ended()
            most = limit + len(self._deliveries[destination])
            found = self._rows(WAITED, (destination, now_microseconds(now), most))
            found += self._rows(QUEUED, (destination, most))
            rows = [row for *_, row in sorted(found) if row not in self._destinations][:limit]
            tasks = self._claimed(destination, rows)
        return tasks

    def deliveries_of_study(
        self, destination: str, limit: int, choose: Choose, stand_in: StandIn | None
    ) -> list[DeliveryTask]:
        with self._lock, self._connection:
            self._drop_ended()
            many = len(self._deliveries[destination])
            waiting = WaitingDeliveries(self._connection, destination, self._destinations, many)
            studies = waiting.by_study(now_microseconds(), stand_in)
            offered = [WaitingStudy(study, len(rows)) for study, rows in studies.items()]
            chosen = choose(offered) if offered else None
            rows = [] if chosen is None else studies[chosen][:limit]
            tasks = self._claimed(destination, rows, MOST_BYTES)
        return tasks

    def overdue(self, destination: str, before: datetime, limit: int) -> list[DeliveryTask]:
        with self._lock, self._connection:
            self._drop_ended()
            values = {
                "to": destination,
                "before": to_microseconds(before),
                "limit": limit + len(self._deliveries[destination]),
            }
            found = self._connection.execute(OVERDUE, values)
            rows = [row for (row,) in found if row not in self._destinations][:limit]
            tasks = self._claimed(destination, rows)
        return tasks

    def released(self, limit: int) -> list[ReleasedInstance]:
        """Not claimed: who plans them is one thread."""
        with self._lock, self._connection:
            rows = self._rows(RELEASED, (limit,))
            found = [released_instance(self._connection, row, self._paths) for (row,) in rows]
        return found

    def next_due(self, topic: str) -> datetime | None:
        destination = topic.removeprefix("destination:")
        with self._lock:
            self._drop_ended()
            if topic == "copies":
                claimed = self._copies
                rows = self._rows(NEXT_COPIES, (len(claimed) + 1,))
            else:
                claimed = self._deliveries[destination]
                rows = self._rows(NEXT_DELIVERIES, (destination, len(claimed) + 1))
            return optional_time(next((due for row, due in rows if row not in claimed), None))

    def end_copies(self, ids: Iterable[int]) -> None:
        """Finished and committed, or given back. Never blocks."""
        self._ended_copies.extend(ids)

    def end_deliveries(self, ids: Iterable[int]) -> None:
        """Finished and committed, or given back. Never blocks."""
        self._ended_deliveries.extend(ids)

    def withdraw(self, ids: Iterable[int]) -> None:
        """Whoever has claimed one of these is to give it back."""
        with self._lock:
            self._withdrawn.update(row for row in ids if row in self._destinations)

    def is_withdrawn(self, row: int) -> bool:
        return row in self._withdrawn

    def sending(self, destination: str) -> int:
        with self._lock:
            self._drop_ended()
            return len(self._deliveries[destination])

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _claimed(
        self, destination: str, rows: Iterable[int], most_bytes: float = math.inf
    ) -> list[DeliveryTask]:
        """The tasks of these rows, of the first ones when all together are too large."""
        tasks: list[DeliveryTask] = []
        for row in rows:
            if sum(task.size for task in tasks) >= most_bytes:
                break
            tasks.append(delivery_task(self._connection, row, self._paths))
            self._deliveries[destination].add(row)
            self._destinations[row] = destination
        return tasks

    def forget_destination(self, destination: str) -> None:
        """There will be nothing for it any more. Never blocks."""
        self._ended_destinations.append(destination)

    def _drop_ended(self) -> None:
        while self._ended_copies:
            self._copies.discard(self._ended_copies.popleft())
        while self._ended_deliveries:
            row = self._ended_deliveries.popleft()
            destination = self._destinations.pop(row, None)
            self._withdrawn.discard(row)
            if destination is not None:
                self._deliveries[destination].discard(row)
        while self._ended_destinations:
            self._deliveries.pop(self._ended_destinations.popleft(), None)

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[int, ...]]:
        return list(self._connection.execute(query, values))
