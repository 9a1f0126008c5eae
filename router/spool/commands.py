"""What people do to the queue: hold, release, retry, first, discard; in bounded steps."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from router.spool.accepting import settle_instance
from router.spool.repeats import AFTER_ANOTHER, judge_followers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from router.spool.selection import Kind
    from router.spool.transaction import Transaction
    from router.spool.writer import Writer

Step: TypeAlias = "Callable[[Transaction], int]"

STEP = 500  # rows per commit, so that intake gets in between


@dataclass(frozen=True)
class Command:
    """What is set, and in which of its states, on each kind of row; a kind not named is left."""

    deliveries: str | None = None
    copies: str | None = None
    instances: str | None = None
    withdraws: bool = False  # what is claimed is not to be sent after all


_TRIED_LATER = "state = 'held' AND retry_at IS NOT NULL"
_RECEIVED = "state = 'received', retry_at = NULL, reason = NULL, plugin = NULL, hook = NULL"

HOLD = Command(
    "state = 'held', due = NULL, behind = NULL, reason = :reason"
    " WHERE state IN ('queued', 'waiting')",
    "state = 'held', retry_at = NULL, reason = :reason, plugin = NULL, hook = NULL"
    f" WHERE (state = 'received' OR {_TRIED_LATER})",
    withdraws=True,
)
RELEASE = Command(
    "state = 'queued', due = NULL, attempts = 0, refusals = 0, reason = NULL WHERE state = 'held'",
    f"{_RECEIVED}, attempts = 1 WHERE state = 'held'",  # 0 would be its own generation's chain
    "state = 'released' WHERE state = 'held'",
)
RETRY = Command(
    f"state = 'queued', due = NULL WHERE state = 'waiting' AND due < {AFTER_ANOTHER}",
    f"{_RECEIVED} WHERE {_TRIED_LATER}",
)
FIRST = Command("priority = 1 WHERE state IN ('queued', 'waiting')")
DISCARD = Command(
    "state = 'discarded', due = NULL, reason = :reason"
    " WHERE state IN ('queued', 'waiting', 'held')",
    "state = 'discarded', retry_at = NULL, reason = :reason, plugin = NULL, hook = NULL"
    " WHERE state IN ('received', 'held')",
    "state = 'discarded', reason = :reason WHERE state IN ('held', 'released')",
    withdraws=True,
)
_RETURNED = {
    "deliveries": "instance, destination, state",
    "copies": "instance, NULL, state",
    "instances": "id, NULL, state",
}


def steps(command: Command, selected: Mapping[Kind, Sequence[int]], reason: str) -> Iterator[Step]:
    """Change the selected rows that are still in a state the command is for, counting them."""
    for kind, ids in selected.items():
        change = getattr(command, kind)
        if change is None:
            continue
        statement = (
            f"UPDATE {kind} SET changed = :now, {change} AND id = :id RETURNING {_RETURNED[kind]}"
        )
        for start in range(0, len(ids), STEP):
            some = ids[start : start + STEP]
            yield partial(_change, kind=kind, statement=statement, ids=some, reason=reason)


def _change(
    transaction: Transaction, kind: Kind, statement: str, ids: Sequence[int], reason: str
) -> int:
    count = 0
    values = {"now": transaction.now, "reason": reason}
    for row in ids:
        changed = transaction.execute(statement, values | {"id": row}).fetchone()
        if changed is None:
            continue
        count += 1
        instance, destination, state = changed
        if kind == "copies":
            settle_instance(transaction, instance)
            judge_followers(transaction, instance)
        if state == "discarded":
            transaction.touched.add(instance)
        elif state != "held":
            transaction.topics.add(f"destination:{destination}" if destination else kind)
    return count


def in_steps(writer: Writer, operations: Iterator[Step]) -> Future[int]:
    """Run the operations one commit after the other; the result is the sum of theirs."""
    result: Future[int] = Future()
    result.set_running_or_notify_cancel()
    total = 0

    def proceed(done: Future[int] | None) -> None:
        nonlocal total
        try:
            total += done.result() if done else 0
            step = next(operations, None)
        except Exception as error:
            result.set_exception(error)
            return
        if step is None:
            result.set_result(total)
        else:
            writer.submit(step).add_done_callback(proceed)

    proceed(None)
    return result
