"""An instance comes in: its row, its copies, and the deliveries that can be made at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.spool import gathering, retrieves
from router.spool.codec import Paths, decode_names, encode_bulk, encode_names, to_microseconds
from router.spool.errors import SpoolFull
from router.spool.full import FULL
from router.spool.repeats import Verdict, judge, with_its_study
from router.spool.settling import Candidate, Decision, settle
from router.spool.sources import CAME_FROM_THERE
from router.status import PROCESSING_FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.spool.records import Arrival, IntakeRefusal, PlannedCopy
    from router.spool.transaction import Transaction

INSERT_INSTANCE = "INSERT INTO instances VALUES(NULL" + ", ?" * 18 + ", NULL)"
INSERT_COPY = """
INSERT INTO copies(instance, route, state, destinations, changed, priority)
VALUES(?, ?, ?, ?, ?, ?)
"""
INSERT_DELIVERY = """
INSERT INTO deliveries(instance, copy, study, destination, state, first_queued, changed,
    size, reason, behind, due)
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_LEFT_OUT = """
INSERT INTO deliveries(instance, copy, study, destination, state, first_queued, changed,
    size, reason)
SELECT instances.id, :copy, study, :destination, :state, :now, :now, length, :reason
FROM instances JOIN series ON series.id = series WHERE instances.id = :instance
"""
SELECT_PENDING = """
SELECT (SELECT count(*) FROM copies WHERE instance = i.id
            AND (state = 'received' OR state = 'held' AND retry_at IS NOT NULL)),
       (SELECT coalesce(nullif(plugin, '') || ': ', '') || coalesce(reason, '') FROM copies
            WHERE instance = i.id AND state = 'held' AND retry_at IS NULL ORDER BY id LIMIT 1)
FROM instances i WHERE id = ? AND state = 'pending'
"""
DISCARD_COPIES = """
UPDATE copies SET state = 'discarded', changed = :now, retry_at = NULL,
    reason = iif(state = 'held' AND retry_at IS NULL, reason, 'another copy failed')
WHERE instance = :instance AND state IN ('received', 'processed', 'held')
"""
DISCARD_PENDING = f"""
UPDATE instances SET state = 'discarded', changed = :now, reason = :reason,
    answer = coalesce(answer, {PROCESSING_FAILURE})
WHERE id = :instance
"""
PLAN_PENDING = "UPDATE instances SET state = 'planned', changed = :now WHERE id = :instance"
MOST_REFUSALS = 100_000
INSERT_REFUSAL = "INSERT INTO refusals VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)"
SELECT_CANDIDATES = """
SELECT copies.id, route, copies.state, destinations,
       coalesce(copies.sop_instance_uid, instances.sop_instance_uid),
       coalesce(size, length), study
FROM copies JOIN instances ON instances.id = instance JOIN series ON series.id = series
WHERE instance = ? ORDER BY copies.id
"""
SELECT_ACCEPTED = "SELECT accepted FROM files WHERE path = ?"
NOTE_ACCEPTED = "INSERT OR REPLACE INTO files VALUES(?, ?)"
SELECT_DECIDED = "SELECT copy, destination, state FROM deliveries WHERE instance = ?"


def accept(transaction: Transaction, arrival: Arrival, paths: Paths) -> int:
    """The id of the new instance.

    The instances of a file are accepted one after the other: after a crash all from the last one
    on that was accepted are read from the file again.
    """
    stored = arrival.stored
    begin, end = arrival.extent or (0, stored.offset + stored.length)
    path = paths.relative(stored.path)
    accepted = transaction.execute(SELECT_ACCEPTED, (path,)).get or 0
    if arrival.extent and accepted != begin:
        raise SpoolFull("an earlier instance of this file is not recorded yet")
    transaction.execute(NOTE_ACCEPTED, (path, max(accepted, end)))
    instance = insert_instance(transaction, arrival, path)
    transaction.added_instances += 1
    transaction.added_bytes += stored.length
    add_copies(transaction, instance, arrival.copies)
    return instance


def insert_instance(transaction: Transaction, arrival: Arrival, path: str | None) -> int:
    """Its row and what is counted of it; without a `path` only its trail is kept."""
    stored = arrival.stored
    originator, message = arrival.move_originator or (None, None)
    instance = transaction.insert(
        INSERT_INSTANCE,
        (
            _state(arrival),
            to_microseconds(arrival.received),
            transaction.association(arrival.association),
            transaction.series(arrival),
            arrival.generation,
            arrival.sop_class_uid,
            arrival.sop_instance_uid,
            arrival.transfer_syntax,
            path,
            stored.offset,
            stored.length,
            encode_bulk(stored.bulk if path else ()),
            stored.problem,
            arrival.digest,
            originator,
            message,
            transaction.now,
            arrival.held_reason,
        ),
    )
    listener = arrival.association.listener
    transaction.tally.add("instances", listener)
    transaction.tally.add("bytes", listener, amount=stored.length)
    return instance


def _state(arrival: Arrival) -> str:
    if arrival.held_reason is not None:
        return "held"
    return "pending" if arrival.pending else "planned"


def add_copies(transaction: Transaction, instance: int, copies: Iterable[PlannedCopy]) -> None:
    """Copies without a chain are born processed: nothing is left to be done to them."""
    for copy in copies:
        state = "received" if copy.has_chain else "processed"
        names = encode_names(copy.destinations)
        values = (instance, copy.route, state, names, transaction.now, copy.priority)
        row = transaction.insert(INSERT_COPY, values)
        if not copy.has_chain:
            transaction.tally.add("copies", copy.route, state)
        retrieves.note(transaction, instance, copy.destinations)
        for name in copy.full:
            go_without(transaction, (instance, row), name)
        for name in copy.came_from:
            leave_out(transaction, (instance, row), name, "suppressed", CAME_FROM_THERE)
        if copy.has_chain:
            transaction.topics.add("copies")
        if copy.study_quiet is not None:
            gathering.gather(transaction, instance, row, copy)
    settle_instance(transaction, instance)


def go_without(transaction: Transaction, ids: tuple[int, int], destination: str) -> None:
    """Leave out a destination that is full, and have that said."""
    leave_out(transaction, ids, destination, "discarded", FULL)
    transaction.after_commit.append(partial(transaction.full.note, destination))
    transaction.topics.add(f"full:{destination}")
    transaction.tally.add("left out", destination)


def leave_out(
    transaction: Transaction, ids: tuple[int, int], destination: str, state: str, reason: str
) -> None:
    """Record that a destination gets no delivery; `ids` are the instance's and the copy's."""
    values: dict[str, int | str] = {"instance": ids[0], "copy": ids[1], "now": transaction.now}
    values |= {"destination": destination, "state": state, "reason": reason}
    transaction.execute(INSERT_LEFT_OUT, values)


def settle_instance(transaction: Transaction, instance: int) -> None:
    """Apply the settling rule, after anything about the instance's copies has changed."""
    copies: dict[int, Candidate] = {}
    sizes: dict[int, int] = {}
    study = 0
    for columns in transaction.execute(SELECT_CANDIDATES, (instance,)):
        row, route, state, names, uid, sizes[columns[0]], study = columns
        copies[row] = Candidate(row, route, state, decode_names(names), uid)
    decided: set[tuple[int, str]] = set()
    taken: dict[tuple[str, str], str] = {}
    for row, destination, state in transaction.execute(SELECT_DECIDED, (instance,)):
        decided.add((row, destination))
        if state != "suppressed":
            taken[destination, copies[row].sop_instance_uid] = copies[row].route
    transaction.touched.add(instance)
    if transaction.gathers:
        transaction.topics.add(gathering.TOPIC)
    if _is_pending(transaction, instance):
        return
    for decision in settle(list(copies.values()), decided, taken):
        row = decision.copy.copy_id
        _add_delivery(transaction, (instance, row, study), decision, sizes[row])


def _is_pending(transaction: Transaction, instance: int) -> bool:
    """Whether its sender is still to hear how its copies fare; decided when the last one is."""
    found = transaction.execute(SELECT_PENDING, (instance,)).fetchone()
    if found is None:
        return False
    undecided, failed = found
    values = {"instance": instance, "now": transaction.now, "reason": failed}
    if failed is not None:
        transaction.execute(DISCARD_COPIES, values)
        transaction.execute(DISCARD_PENDING, values)
    elif not undecided:
        transaction.execute(PLAN_PENDING, values)
    return failed is not None or undecided > 0


def _add_delivery(
    transaction: Transaction, ids: tuple[int, int, int], decision: Decision, size: int
) -> None:
    """`ids` are the instance's, the copy's and the study's."""
    destination = decision.destination
    if decision.taken_by is not None:
        reason = f"route {decision.taken_by} sends this SOP Instance UID there"
        verdict = Verdict("suppressed", reason)
    else:
        verdict = judge(transaction, ids[0], decision.copy, destination)
        verdict = with_its_study(transaction, ids[1], verdict)
        transaction.topics.add(f"destination:{destination}")
    now = transaction.now
    values = (*ids, destination, verdict.state, now, now, size, verdict.reason)
    transaction.execute(INSERT_DELIVERY, (*values, verdict.behind, verdict.due))


def plan(
    transaction: Transaction,
    instance: int,
    generation: int,
    copies: Sequence[PlannedCopy],
    held_reason: str | None,
) -> None:
    """Give a released instance its copies; one that is not released any more is left alone."""
    state = "planned" if held_reason is None else "held"
    transaction.execute(
        "UPDATE instances SET state = ?, generation = ?, reason = ?, changed = ? "
        "WHERE id = ? AND state = 'released'",
        (state, generation, held_reason, transaction.now, instance),
    )
    if transaction.changed():
        add_copies(transaction, instance, copies)


def refused(transaction: Transaction, refusal: IntakeRefusal) -> None:
    """Only the last of them are kept: whoever may not send may still try without end."""
    row = transaction.insert(
        INSERT_REFUSAL,
        (
            to_microseconds(refusal.time),
            refusal.listener,
            refusal.calling_ae_title,
            refusal.address,
            refusal.sop_instance_uid,
            refusal.status,
            refusal.reason,
        ),
    )
    transaction.execute("DELETE FROM refusals WHERE id <= ?", (row - MOST_REFUSALS,))
