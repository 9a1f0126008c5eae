"""Studies come together, route by route, until nothing more arrives.

A row of `studies` is what a route has of a study since it was last complete: `gathering` while
something may still come, then `complete` until everybody has been told, then `told`; `empty` if
nothing of it was processed. Its copies are those in `gathered`: what must not go before.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from router.spool.codec import encode_names
from router.spool.repeats import AFTER_ANOTHER, WITH_ITS_STUDY
from router.spool.selection import parameters
from router.spool.tasks import ASSOCIATION, association

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from router.instance import Association
    from router.spool.records import PlannedCopy, Selection
    from router.spool.schema import Row
    from router.spool.study_records import StudyOutcome
    from router.spool.transaction import Transaction

TOPIC = "studies"
MOST_FORGOTTEN = 200

_ANY = "SELECT EXISTS(SELECT 1 FROM studies)"
# Nothing could arrive while no router ran.
_BEGIN_ANEW = """
UPDATE studies SET due = max(due, :now + quiet) WHERE state = 'gathering'
"""
_STUDY_OF = """
SELECT study_instance_uid FROM instances JOIN series ON series.id = series WHERE instances.id = ?
"""
_GATHERING = "state = 'gathering' AND route = :route AND study_instance_uid = :uid"
_ARRIVED = f"""
UPDATE studies SET due = :now + :quiet, quiet = :quiet WHERE {_GATHERING} RETURNING id
"""
_BEGIN = """
INSERT INTO studies(route, study_instance_uid, state, late, together, quiet, due, changed)
SELECT :route, :uid, 'gathering', EXISTS (
        SELECT 1 FROM studies INDEXED BY studies_study WHERE study_instance_uid = :uid
        AND route = :route AND state IN ('complete', 'told')),
    :together, :quiet, :now + :quiet, :now
RETURNING id
"""
_GATHER = "INSERT INTO gathered VALUES(?, ?, ?)"
# A copy that was held when its study was complete comes late.
_REJOIN = """
SELECT c.instance, s.study_instance_uid, s.route, s.together, s.quiet
FROM copies c JOIN instances i ON i.id = c.instance JOIN series ON series.id = i.series
    JOIN studies s INDEXED BY studies_study
        ON s.study_instance_uid = series.study_instance_uid AND s.route = c.route
WHERE c.id = :copy AND NOT EXISTS (SELECT 1 FROM gathered WHERE copy = c.id)
ORDER BY s.id DESC LIMIT 1
"""
_UNDECIDED = """
SELECT 1 FROM gathered g JOIN copies c ON c.id = g.copy JOIN instances i ON i.id = g.instance
WHERE g.study = s.id AND (i.state = 'pending' OR c.state = 'received'
                          OR c.state = 'held' AND c.retry_at IS NOT NULL)
"""
QUIET = f"""
SELECT id FROM studies s INDEXED BY studies_gathering
WHERE state = 'gathering' AND due <= :now AND NOT EXISTS ({_UNDECIDED})
"""
_SENDERS = f"""
SELECT DISTINCT {ASSOCIATION} FROM gathered g JOIN instances i ON i.id = g.instance
    JOIN associations a ON a.id = i.association WHERE g.study = ?
"""
_LEAVE_OUT = """
DELETE FROM gathered WHERE study = :id
    AND copy NOT IN (SELECT c.id FROM gathered g JOIN copies c ON c.id = g.copy
                     WHERE g.study = :id AND c.state = 'processed')
RETURNING instance
"""
_COMPLETE = """
UPDATE studies SET due = :now, changed = :now,
    state = iif(EXISTS (SELECT 1 FROM gathered WHERE study = :id), 'complete', 'empty')
WHERE id = :id RETURNING state
"""
_LET_GO = f"""
UPDATE deliveries SET first_queued = :now, changed = :now,
    state = iif(behind IS NULL, 'queued', 'waiting'),
    due = iif(behind IS NULL, NULL, {AFTER_ANOTHER}), reason = NULL
WHERE state = 'waiting' AND due = {WITH_ITS_STUDY}
    AND instance IN (SELECT instance FROM gathered WHERE study = :id)
    AND copy IN (SELECT copy FROM gathered WHERE study = :id)
RETURNING destination
"""
_TOLD = """
UPDATE studies SET state = 'told', changed = :now, told = coalesce(:told, told), plugin = NULL,
    reason = :reason
WHERE id = :id AND state = 'complete'
"""
_FAILED = """
UPDATE studies SET attempts = attempts + 1, due = :due, told = :told, reason = :reason,
    plugin = :plugin
WHERE id = :id AND state = 'complete'
"""
_MEANT = """
SELECT id FROM studies INDEXED BY studies_complete WHERE state = 'complete'
    AND :destination IS NULL AND (:route IS NULL OR route = :route)
    AND (:study IS NULL OR study_instance_uid = :study)
    AND (:reason IS NULL OR instr(lower(coalesce(reason, '')), lower(:reason)) > 0)
"""
_RETRY = f"UPDATE studies SET due = :now WHERE id IN ({_MEANT}) RETURNING id"
_LET_FILES_GO = "DELETE FROM gathered WHERE study = ? RETURNING instance"
_FORGET = """
DELETE FROM studies WHERE id IN (
    SELECT id FROM studies INDEXED BY studies_ended
    WHERE state IN ('told', 'empty') AND changed < ? LIMIT ?)
"""


class OpenAssociations:
    """Who may still send; may be used from any thread."""

    def __init__(self) -> None:
        self._open: Counter[Association] = Counter()
        self._lock = threading.Lock()

    def began(self, one: Association) -> None:
        with self._lock:
            self._open[one] += 1

    def ended(self, one: Association) -> None:
        with self._lock:
            self._open[one] -= 1
            self._open += Counter()  # without those that are not open any more

    def __contains__(self, one: Association) -> bool:
        with self._lock:
            return self._open[one] > 0


def gathers(connection: apsw.Connection) -> bool:
    """Whether there has been any study."""
    return bool(connection.execute(_ANY).get)


def begin_anew(transaction: Transaction) -> None:
    """What gathers gets its whole quiet again."""
    transaction.execute(_BEGIN_ANEW, {"now": transaction.now})
    look(transaction)


def gather(transaction: Transaction, instance: int, copy: int, planned: PlannedCopy) -> None:
    """A copy of a route that wants to know when its study is complete has arrived."""
    assert planned.study_quiet is not None
    [(uid,)] = transaction.execute(_STUDY_OF, (instance,))
    quiet = round(planned.study_quiet * 1_000_000)
    _join(transaction, instance, copy, (uid, planned.route, planned.together, quiet))


def rejoin(transaction: Transaction, copy: int) -> None:
    """A copy was processed, maybe after its study was complete."""
    found = transaction.execute(_REJOIN, {"copy": copy}).fetchone()
    if found is not None:
        instance, *study = found
        _join(transaction, instance, copy, tuple(study))


def _join(
    transaction: Transaction, instance: int, copy: int, study: tuple[str, str, bool, int]
) -> None:
    uid, route, together, quiet = study
    values = {"uid": uid, "route": route, "now": transaction.now, "quiet": quiet}
    found = list(transaction.execute(_ARRIVED, values))
    if not found:
        found = list(transaction.execute(_BEGIN, values | {"together": together}))
    [(row,)] = found
    transaction.execute(_GATHER, (copy, row, instance))
    transaction.gathers = True
    transaction.topics.add(TOPIC)


def look(transaction: Transaction) -> None:
    """Something may be complete now."""
    if transaction.gathers:
        transaction.topics.add(TOPIC)


def complete(
    transaction: Transaction, study: int, now: int, is_open: Callable[[Association], bool]
) -> bool:
    """End a study's gathering if it is quiet, whole and nobody who sent of it may still send."""
    if not transaction.execute(f"{QUIET} AND id = :id", {"id": study, "now": now}).fetchone():
        return False
    values = {"id": study, "now": transaction.now}
    if any(is_open(association(row)) for row in transaction.execute(_SENDERS, (study,)).fetchall()):
        return False
    left_out: list[Row] = transaction.execute(_LEAVE_OUT, values).fetchall()
    transaction.touched.update(instance for (instance,) in left_out)
    transaction.execute(_COMPLETE, values)
    for (destination,) in transaction.execute(_LET_GO, values).fetchall():
        transaction.topics.add(f"destination:{destination}")
    transaction.topics.add(TOPIC)
    return True


def retry(transaction: Transaction, selection: Selection) -> int:
    """Have plugins told now of the complete studies that are meant; how many."""
    transaction.topics.add(TOPIC)
    values = parameters(selection) | {"now": transaction.now}
    return len(transaction.execute(_RETRY, values).fetchall())


def give_up(transaction: Transaction, selection: Selection, reason: str) -> int:
    """Tell nobody more of the complete studies that are meant; how many."""
    meant: list[Row] = transaction.execute(_MEANT, parameters(selection)).fetchall()
    for (study,) in meant:
        _end(transaction, study, None, reason)
    return len(meant)


def finish(transaction: Transaction, study: int, outcome: StudyOutcome, due: int) -> None:
    """Record who was told; those that failed are tried again at `due`."""
    values = {"id": study, "now": transaction.now, "told": encode_names(outcome.told), "due": due}
    if outcome.failure is not None:
        failed = {"reason": outcome.failure.reason, "plugin": outcome.failure.plugin}
        transaction.execute(_FAILED, values | failed)
        return
    _end(transaction, study, encode_names(outcome.told))


def _end(transaction: Transaction, study: int, told: str | None, reason: str | None = None) -> None:
    values = {"id": study, "now": transaction.now, "told": told, "reason": reason}
    transaction.execute(_TOLD, values)
    let_go: list[Row] = transaction.execute(_LET_FILES_GO, (study,)).fetchall()
    transaction.touched.update(instance for (instance,) in let_go)
    transaction.topics.add(TOPIC)


def forget(transaction: Transaction, before: int) -> None:
    transaction.execute(_FORGET, (before, MOST_FORGOTTEN))
