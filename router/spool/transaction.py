"""One group commit under way: what its operations share and what is written once for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.spool import gathering
from router.spool.codec import now_microseconds, to_microseconds
from router.spool.full import FullDestinations
from router.spool.outcomes import Outcomes
from router.spool.repeats import watch
from router.spool.retrieves import number_of
from router.spool.tally import Tally
from router.spool.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import apsw

    from router.config.model import DestinationConfig
    from router.instance import Association
    from router.spool.records import Arrival, Attempt

MOST_CACHED = 4096

INSERT_ASSOCIATION = "INSERT INTO associations VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_SERIES = """
INSERT INTO series VALUES(NULL, ?1, ?2, ?3, ?4, coalesce(
    (SELECT min(study) FROM series WHERE study_instance_uid = ?1),
    (SELECT coalesce(max(id), 0) + 1 FROM series)))
"""
MARK_DONE = """
INSERT OR IGNORE INTO done SELECT :instance, :now
WHERE EXISTS (SELECT 1 FROM instances WHERE id = :instance AND state IN ('planned', 'discarded'))
AND NOT EXISTS (SELECT 1 FROM deliveries WHERE instance = :instance
                AND state IN ('queued', 'waiting', 'held'))
AND NOT EXISTS (SELECT 1 FROM copies WHERE instance = :instance AND state IN ('received', 'held'))
"""
NOT_GATHERED = "AND NOT EXISTS (SELECT 1 FROM gathered WHERE instance = :instance)"
NOTE_SUCCESS = """
INSERT INTO destinations(name, last_success) VALUES(:name, :success)
ON CONFLICT(name) DO UPDATE SET last_success = :success, failing_since = NULL,
    last_status = NULL, last_comment = ''
"""
NOTE_FAILURE = """
INSERT INTO destinations(name, failing_since, last_status, last_comment)
VALUES(:name, :since, :status, :comment)
ON CONFLICT(name) DO UPDATE SET failing_since = coalesce(failing_since, :since),
    last_status = :status, last_comment = :comment
"""


@dataclass(slots=True)
class _Standing:
    """What the attempts of this commit say about their destination."""

    success: int | None = None
    failing_since: int | None = None
    status: int | None = None
    comment: str = ""


class Transaction:
    """Used by the writer's thread only, again and again.

    `topics` are what subscribers will be told; `directories` are synced before the commit;
    an instance `touched` is marked done if nothing of it is open any more, whoever waits for one
    that was touched or `noted` is told; `after_commit` happens
    before anybody learns of the commit; `gathers` when there has ever been a study to complete.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.execute = connection.cursor().execute
        self.waiting = Waiting(connection)
        self.destinations: Mapping[str, DestinationConfig] = {}
        self.now = 0
        self.topics: set[str] = set()
        self.directories: set[str] = set()
        self.touched: set[int] = set()
        self.noted: set[int] = set()
        self.outcomes = Outcomes()
        self.full = FullDestinations()
        self.tally = Tally()
        self.after_commit: list[Callable[[], None]] = []
        self.added_instances = 0
        self.added_bytes = 0
        self.gathers = gathering.gathers(connection)
        self._standings: dict[str, _Standing] = {}
        self._associations: dict[Association, int] = {}
        self._series: dict[tuple[str, ...], int] = {}
        watch(connection, self)

    def insert(self, statement: str, values: Sequence[Any]) -> int:
        """The id of the new row."""
        self.execute(statement, values)
        return self._connection.last_insert_rowid()

    def changed(self) -> bool:
        """Whether the last statement changed a row."""
        return self._connection.changes() > 0

    def association(self, value: Association) -> int:
        row = self._associations.get(value)
        if row is None:
            names = (value.calling_ae_title, value.called_ae_title, value.address, value.listener)
            who = (value.peer, value.tls_subject, value.user, to_microseconds(value.started))
            row = self.insert(INSERT_ASSOCIATION, names + who)
            _remember(self._associations, value, row)
        return row

    def series(self, arrival: Arrival) -> int:
        key = (
            arrival.study_instance_uid,
            arrival.series_instance_uid,
            arrival.patient_id,
            arrival.accession_number,
        )
        row = self._series.get(key)
        if row is None:
            row = self.insert(INSERT_SERIES, key)
            _remember(self._series, key, row)
        return row

    def attempted(self, destination: str, attempt: Attempt, size: int) -> None:
        """Note what an attempt says about its destination, if that is one for longer."""
        if number_of(destination) is not None:
            return
        self.tally.add("attempts", destination, attempt.outcome)
        standing = self._standings.setdefault(destination, _Standing())
        time = to_microseconds(attempt.time)
        if attempt.outcome == "delivered":
            self.tally.add("delivered bytes", destination, amount=size)
            self._standings[destination] = _Standing(success=time)
        elif attempt.outcome != "discarded":
            standing.status, standing.comment = attempt.status, attempt.comment
            if attempt.outcome == "retry" and standing.failing_since is None:
                standing.failing_since = time

    def begin(self) -> None:
        self.now = now_microseconds()
        self.execute("BEGIN IMMEDIATE")

    def complete(self) -> None:
        """Write what is due once per commit."""
        mark_done = MARK_DONE + NOT_GATHERED if self.gathers else MARK_DONE
        for instance in self.touched:
            self.execute(mark_done, {"instance": instance, "now": self.now})
        if self.added_instances or self.added_bytes:
            self.execute(
                "UPDATE totals SET instances = instances + ?, bytes = bytes + ?",
                (self.added_instances, self.added_bytes),
            )
        self.after_commit += self.outcomes.look(self.execute, self.touched | self.noted)
        for name, standing in self._standings.items():
            if standing.success is not None:
                self.execute(NOTE_SUCCESS, {"name": name, "success": standing.success})
            if standing.failing_since or standing.status is not None or standing.comment:
                failure = {"name": name, "since": standing.failing_since}
                failure |= {"status": standing.status, "comment": standing.comment}
                self.execute(NOTE_FAILURE, failure)

    def committed(self) -> set[str]:
        """Start over; what to tell subscribers."""
        for action in self.after_commit:
            action()
        self.waiting.committed()
        self.tally.committed()
        topics = self.topics
        self._start_over()
        return topics

    def rolled_back(self) -> None:
        self.waiting.rolled_back()
        self.tally.rolled_back()
        self._start_over()
        self.forget_cached()

    def forget_cached(self) -> None:
        """The ids of rows that may be gone."""
        self._associations.clear()
        self._series.clear()

    def _start_over(self) -> None:
        self.topics = set()
        self.after_commit.clear()
        self.directories.clear()
        self.touched.clear()
        self.noted.clear()
        self._standings.clear()
        self.added_instances = self.added_bytes = 0


def _remember(cache: dict[Any, int], key: object, row: int) -> None:
    if len(cache) >= MOST_CACHED:
        cache.pop(next(iter(cache)))
    cache[key] = row
