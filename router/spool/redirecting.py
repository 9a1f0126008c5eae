"""What people have sent elsewhere: deliveries moved to another destination, copies sent again."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from router.spool.commands import STEP
from router.spool.repeats import Verdict, judge
from router.spool.schema import fetch
from router.spool.settling import Candidate
from router.spool.sources import CAME_FROM_THERE, as_sender, came_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import apsw

    from router.spool.records import Selection
    from router.spool.schema import Row
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
_MOVED = f"""
SELECT d.instance, copy, c.route, coalesce(c.sop_instance_uid, i.sop_instance_uid)
FROM deliveries d JOIN copies c ON c.id = d.copy JOIN instances i ON i.id = d.instance
WHERE d.id = (SELECT id FROM deliveries WHERE {_OPEN})
"""
_MOVE = """
UPDATE deliveries SET destination = :to, state = :state, due = :due, behind = :behind,
    attempts = 0, refusals = 0, reason = :reason, changed = :now,
    note = 'moved from ' || destination
WHERE id = :id
"""
_SUPPRESS = """
UPDATE deliveries SET state = 'suppressed', due = NULL, changed = :now,
    reason = 'moved to ' || :to || ', which gets it anyway'
WHERE id = :id
"""
_STAYS = "UPDATE deliveries SET note = 'not moved to ' || :to || ': ' || :reason WHERE id = :id"
_WAS_FOR = """EXISTS (
    SELECT 1 FROM deliveries d
    WHERE d.instance = c.instance AND d.copy = c.id AND d.destination = {})"""
# Of several copies the one that was made for it: another may say who the patient is.
_KEPT_COPIES = f"""
SELECT coalesce(min(c.id) FILTER (WHERE {_WAS_FOR.format(":to")}), min(c.id))
FROM copies c JOIN instances i ON i.id = c.instance JOIN series s ON s.id = i.series
WHERE c.state = 'processed' AND i.path IS NOT NULL
    AND (:study IS NULL OR :study IN (s.study_instance_uid, c.study_instance_uid))
    AND (:route IS NULL OR c.route = :route) AND (:since IS NULL OR i.received >= :since)
    AND (:destination IS NULL OR {_WAS_FOR.format(":destination")})
GROUP BY c.instance ORDER BY 1
"""
_RESEND = """
INSERT INTO deliveries(instance, copy, study, destination, state, first_queued, changed, size,
    note, reason, behind, due)
SELECT c.instance, c.id, s.study, :to, :state, :now, :now, coalesce(c.size, i.length), 'resent',
    :reason, :behind, :due
FROM copies c JOIN instances i ON i.id = c.instance JOIN series s ON s.id = i.series
WHERE c.id = :id
"""
_RESENT = """
SELECT c.instance, c.id, c.route, coalesce(c.sop_instance_uid, i.sop_instance_uid)
FROM copies c JOIN instances i ON i.id = c.instance
WHERE c.id = :id AND c.state = 'processed' AND i.path IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE copy = c.id AND destination = :to
                    AND state IN ('queued', 'waiting', 'held'))
"""


def kept_copies(
    connection: apsw.Connection, to: str, selection: Selection, since: int | None
) -> list[int]:
    """The processed copies whose bytes are still here; of an instance the first that fits, or the
    one that was for `to` already.
    """
    values = {
        "to": to,
        "destination": selection.destination,
        "study": selection.study_instance_uid,
        "route": selection.route,
        "since": since,
    }
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
    found = transaction.execute(_MOVED, values).fetchone()
    if found is None:
        return False
    if transaction.execute(_GOES_THERE, values).fetchone():
        transaction.execute(_SUPPRESS, values)
        transaction.touched.add(found[0])
        return True
    verdict = _judge(transaction, found, to)
    if verdict.reason == CAME_FROM_THERE:
        transaction.execute(_STAYS, values | {"reason": CAME_FROM_THERE})
        return False
    transaction.execute(_MOVE, values | asdict(verdict))
    transaction.touched.add(found[0])
    return True


def _resend(transaction: Transaction, row: int, to: str) -> bool:
    values = {"id": row, "to": to, "now": transaction.now}
    found = transaction.execute(_RESENT, values).fetchone()
    if found is None:
        return False
    verdict = _judge(transaction, found, to)
    transaction.execute(_RESEND, values | asdict(verdict))
    if verdict.state == "suppressed":
        return False
    transaction.execute("DELETE FROM done WHERE instance = ?", found[:1])
    return True


def _judge(transaction: Transaction, found: Row, to: str) -> Verdict:
    """What becomes of it there: a person's word goes above `resend` and the guard against loops,
    but nothing goes back to who sent it, nor before an earlier version.
    """
    instance, copy, route, uid = found
    who = as_sender(to, transaction.destinations.get(to))
    if came_from(transaction.execute, instance, who):
        return Verdict("suppressed", CAME_FROM_THERE)
    return judge(
        transaction, instance, Candidate(copy, route, "processed", (), uid), to, asked=True
    )
