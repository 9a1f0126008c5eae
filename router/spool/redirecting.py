"""What people have sent elsewhere: deliveries moved to another destination, copies sent again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.spool.commands import STEP
from router.spool.schema import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import apsw

    from router.spool.transaction import Transaction

# One SOP Instance UID goes to a destination once: what goes there anyway is not moved there.
_GOES_THERE = """
SELECT 1 FROM deliveries d JOIN copies c ON c.id = d.copy JOIN instances i ON i.id = d.instance
    JOIN deliveries o ON o.instance = d.instance AND o.id != d.id JOIN copies oc ON oc.id = o.copy
WHERE d.id = :id AND o.destination = :to AND o.state IN ('queued', 'waiting', 'held', 'delivered')
    AND coalesce(c.sop_instance_uid, i.sop_instance_uid)
        = coalesce(oc.sop_instance_uid, i.sop_instance_uid)
"""
_OPEN = "id = :id AND destination != :to AND state IN ('queued', 'waiting', 'held')"
_MOVE = f"""
UPDATE deliveries SET destination = :to, state = 'queued', due = NULL, attempts = 0, refusals = 0,
    reason = NULL, changed = :now, note = 'moved from ' || destination
WHERE {_OPEN} RETURNING instance
"""
_SUPPRESS = f"""
UPDATE deliveries SET state = 'suppressed', due = NULL, changed = :now,
    reason = 'moved to ' || :to || ', which gets it anyway'
WHERE {_OPEN} RETURNING instance
"""
_KEPT_COPIES = """
SELECT min(c.id) FROM copies c JOIN instances i ON i.id = c.instance
    JOIN series s ON s.id = i.series
WHERE c.state = 'processed' AND i.path IS NOT NULL
    AND (:study IS NULL OR :study IN (s.study_instance_uid, c.study_instance_uid))
    AND (:route IS NULL OR c.route = :route) AND (:since IS NULL OR i.received >= :since)
GROUP BY c.instance ORDER BY 1
"""
_RESEND = """
INSERT INTO deliveries(instance, copy, study, destination, state, first_queued, changed, size, note)
SELECT c.instance, c.id, s.study, :to, 'queued', :now, :now, coalesce(c.size, i.length), 'resent'
FROM copies c JOIN instances i ON i.id = c.instance JOIN series s ON s.id = i.series
WHERE c.id = :id AND c.state = 'processed' AND i.path IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE copy = c.id AND destination = :to
                    AND state IN ('queued', 'waiting', 'held'))
RETURNING instance
"""


def kept_copies(
    connection: apsw.Connection, study: str | None, route: str | None, since: int | None
) -> list[int]:
    """The processed copies whose bytes are still here; of an instance the first that fits."""
    values = {"study": study, "route": route, "since": since}
    return [row for (row,) in fetch(connection, _KEPT_COPIES, values)]


def move(deliveries: Sequence[int], to: str) -> Iterator[Callable[[Transaction], int]]:
    """Have open deliveries made to another destination, in bounded steps that count them."""
    return _steps(_move, deliveries, to)


def resend(copies: Sequence[int], to: str) -> Iterator[Callable[[Transaction], int]]:
    """Make new deliveries of copies, in bounded steps that count them."""
    return _steps(_resend, copies, to)


def _steps(
    change: Callable[[Transaction, int, str], bool], rows: Sequence[int], to: str
) -> Iterator[Callable[[Transaction], int]]:
    for start in range(0, len(rows), STEP):
        yield partial(_change, change=change, rows=rows[start : start + STEP], to=to)


def _change(
    transaction: Transaction,
    change: Callable[[Transaction, int, str], bool],
    rows: Sequence[int],
    to: str,
) -> int:
    transaction.topics.add(f"destination:{to}")
    return sum(change(transaction, row, to) for row in rows)


def _move(transaction: Transaction, row: int, to: str) -> bool:
    values = {"id": row, "to": to, "now": transaction.now}
    suppress = transaction.execute(_GOES_THERE, values).fetchone() is not None
    moved = transaction.execute(_SUPPRESS if suppress else _MOVE, values).fetchone()
    if moved and suppress:
        transaction.touched.add(moved[0])
    return moved is not None


def _resend(transaction: Transaction, row: int, to: str) -> bool:
    made = transaction.execute(_RESEND, {"id": row, "to": to, "now": transaction.now}).fetchone()
    if made:
        transaction.execute("DELETE FROM done WHERE instance = ?", made)
    return made is not None
