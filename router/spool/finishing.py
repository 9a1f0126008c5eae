"""Work comes back: what a chain made of a copy, and how tries at deliveries went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.dataset import total_length
from router.spool import gathering
from router.spool.accepting import go_without, leave_out, settle_instance
from router.spool.codec import Paths, decode_names, encode_names, to_microseconds
from router.spool.records import CopyOutcome, HeldCopy, Processed, Skipped, Stored
from router.spool.repeats import fingerprint, judge_followers
from router.spool.retrieves import number_of
from router.spool.sources import CAME_FROM_THERE, as_sender, came_from

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.spool.records import Attempt
    from router.spool.transaction import Transaction

# A copy held with a time for its next try is claimed as it is; one a person holds has no such time.
UPDATE_COPY = """
UPDATE copies SET state = :state, destinations = coalesce(:destinations, destinations),
    segments = :segments, size = :size, content = :content, transfer_syntax = :transfer_syntax,
    sop_class_uid = :sop_class_uid, sop_instance_uid = :sop_instance_uid,
    study_instance_uid = :study_instance_uid, series_instance_uid = :series_instance_uid,
    attempts = attempts + :held, retry_at = :retry_at, changed = :now,
    reason = :reason, plugin = :plugin, hook = :hook, notes = :notes
WHERE id = :copy AND (state = 'received' OR state = 'held' AND retry_at IS NOT NULL)
"""
OUTCOME_COLUMNS = (
    "destinations",
    "segments",
    "size",
    "content",
    "transfer_syntax",
    "sop_class_uid",
    "sop_instance_uid",
    "study_instance_uid",
    "series_instance_uid",
    "retry_at",
    "reason",
    "plugin",
    "hook",
    "notes",
)
SELECT_STORED = """
SELECT path, offset, length, digest FROM copies JOIN instances ON instances.id = instance
WHERE copies.id = ?
"""
SELECT_PLANNED = "SELECT instance, route, destinations FROM copies WHERE id = ?"
SELECT_SIZE = """
SELECT coalesce(size, length) FROM copies JOIN instances ON instances.id = instance
WHERE copies.id = ?
"""
NOTE_ANSWER = """
UPDATE instances SET answer = ? WHERE state = 'pending'
    AND id = (SELECT instance FROM copies WHERE id = ?)
"""
SELECT_DELIVERY = "SELECT instance, destination, state, tries, size FROM deliveries WHERE id = ?"
INSERT_ATTEMPT = "INSERT INTO attempts VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
UPDATE_DELIVERY = """
UPDATE deliveries SET state = ?, due = ?, reason = ?, changed = ?,
    attempts = attempts + 1, tries = tries + 1, refusals = refusals + ?
WHERE id = ?
"""
COUNT_TRY = "UPDATE deliveries SET tries = tries + 1 WHERE id = ?"


def finish_copy(transaction: Transaction, copy: int, outcome: CopyOutcome, paths: Paths) -> None:
    planned = transaction.execute(SELECT_PLANNED, (copy,)).fetchone()
    if planned is None:
        return
    instance, route, names = planned
    values: dict[str, Any] = dict.fromkeys(OUTCOME_COLUMNS)
    values |= {"copy": copy, "now": transaction.now, "held": 0}
    if isinstance(outcome, Processed):
        values |= _processed(transaction, copy, outcome, paths)
    elif isinstance(outcome, Skipped):
        values |= {"state": "skipped", "reason": outcome.reason, "plugin": outcome.plugin}
    else:
        values |= _held(outcome, transaction.now)
    transaction.execute(UPDATE_COPY, values)
    if transaction.changed():
        transaction.tally.add("copies", route, values["state"])
        if not isinstance(outcome, Processed):
            told = (name for name in decode_names(names) if number_of(name) is not None)
            transaction.topics.update(f"destination:{name}" for name in told)
        if isinstance(outcome, HeldCopy) and outcome.status is not None:
            transaction.execute(NOTE_ANSWER, (outcome.status, copy))
        if isinstance(outcome, Processed):
            added = set(outcome.destinations) - set(decode_names(names))
            _check_added(transaction, (instance, copy), sorted(added))
            if transaction.gathers:
                gathering.rejoin(transaction, copy)
        settle_instance(transaction, instance)
        judge_followers(transaction, instance)


def _check_added(transaction: Transaction, ids: tuple[int, int], names: Iterable[str]) -> None:
    """Leave out what the chain added and intake would have left out.

    Where `when_full` would refuse, there is nobody left to be told: that waits beyond the limit.
    """
    for name in names:
        settings = transaction.destinations.get(name)
        if came_from(transaction.execute, ids[0], as_sender(name, settings)):
            leave_out(transaction, ids, name, "suppressed", CAME_FROM_THERE)
        elif settings and settings.when_full == "discard":
            [(size,)] = transaction.execute(SELECT_SIZE, (ids[1],))
            if transaction.waiting[name] + size > settings.spool_limit:
                go_without(transaction, ids, name)


def _held(outcome: HeldCopy, now: int) -> dict[str, Any]:
    wait = outcome.retry_after
    return {
        "state": "held",
        "held": 1,
        "reason": outcome.reason,
        "plugin": outcome.plugin,
        "hook": outcome.hook,
        "retry_at": None if wait is None else now + round(wait * 1_000_000),
    }


def _processed(
    transaction: Transaction, copy: int, outcome: Processed, paths: Paths
) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "state": "processed",
        "destinations": encode_names(outcome.destinations),
        "notes": encode_names(outcome.notes) if outcome.notes else None,
    }
    if outcome.segments is None:
        return columns
    [(path, offset, length, digest)] = transaction.execute(SELECT_STORED, (copy,))
    stored = Stored(paths.absolute(path), offset, length)
    transaction.directories.update(paths.workspace_directories(outcome.segments))
    return columns | {
        "segments": paths.encode_segments(outcome.segments),
        "size": total_length(outcome.segments),
        "content": fingerprint(outcome.segments, stored, digest),
        "transfer_syntax": outcome.transfer_syntax,
        "sop_class_uid": outcome.sop_class_uid,
        "sop_instance_uid": outcome.sop_instance_uid,
        "study_instance_uid": outcome.study_instance_uid,
        "series_instance_uid": outcome.series_instance_uid,
    }


def finish(transaction: Transaction, attempt: Attempt) -> None:
    """Record a try. Delivered is a fact; any other outcome yields to what a person did since."""
    delivery = attempt.delivery_id
    row = transaction.execute(SELECT_DELIVERY, (delivery,)).fetchone()
    if row is None:
        return
    instance, destination, state, tries, size = row
    retry_at = None if attempt.retry_at is None else to_microseconds(attempt.retry_at)
    time = to_microseconds(attempt.time)
    other = None if attempt.destination == destination else attempt.destination
    record = (attempt.outcome, attempt.status, attempt.comment, retry_at, other)
    transaction.execute(INSERT_ATTEMPT, (delivery, tries + 1, time, *record))
    transaction.noted.add(instance)
    same = transaction.execute("SELECT instance FROM deliveries WHERE behind = ?", (delivery,))
    transaction.noted.update(row for (row,) in same)
    transaction.attempted(other or destination, attempt, size)
    if attempt.outcome != "delivered" and state not in ("queued", "waiting"):
        transaction.execute(COUNT_TRY, (delivery,))
        return
    new_state: str = attempt.outcome
    refused = new_state == "refused" and other is None
    if new_state in ("retry", "refused"):
        new_state = "queued" if retry_at is None else "waiting"
    taken = other and f"{other} took it instead"
    reason = taken if new_state == "delivered" else reason_of(attempt)
    transaction.execute(UPDATE_DELIVERY, (new_state, retry_at, reason, time, refused, delivery))
    if new_state in ("delivered", "discarded"):
        transaction.touched.add(instance)
    elif new_state != "held":
        transaction.topics.add(f"destination:{destination}")


def reason_of(attempt: Attempt) -> str:
    """What the delivery's row says."""
    if attempt.status is None:
        return attempt.comment
    return f"status 0x{attempt.status:04X} {attempt.comment}".rstrip()
