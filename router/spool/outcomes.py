"""What a sender that waits for more than Success on receipt is told, once it is known."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.spool.records import Outcome
from router.status import PROCESSING_FAILURE, SUCCESS, Verdict, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Future

    import apsw

    Execute = Callable[..., apsw.Cursor]

_INSTANCE = "SELECT state, coalesce(reason, ''), answer FROM instances WHERE id = ?"
# Instead of one that is the same as another, that other.
_DELIVERIES = """
SELECT coalesce(o.id, d.id), d.destination, coalesce(o.state, d.state),
       coalesce(o.reason, d.reason, '')
FROM deliveries d LEFT JOIN deliveries o ON o.id = d.behind AND d.state = 'suppressed'
WHERE d.instance = ?
"""
_LAST_ATTEMPT = """
SELECT status, comment FROM attempts WHERE delivery = ? ORDER BY number DESC LIMIT 1
"""


class Outcomes:
    """Who waits for which instance; used by the writer's thread, inside its commits."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[Future[Outcome], Collection[str]]] = {}

    def ask(self, instance: int, required: Collection[str], future: Future[Outcome]) -> None:
        """Wait for the processing of an instance, and for its deliveries to `required`."""
        self._waiting.setdefault(instance, {})[future] = required

    def look(self, execute: Execute, instances: Collection[int]) -> list[Callable[[], None]]:
        """What is to be done after the commit, now that something about these has changed."""
        told: list[Callable[[], None]] = []
        for instance in instances if self._waiting else ():
            for future, required in self._waiting.get(instance, {}).items():
                found = None if future.cancelled() else _find(execute, instance, required)
                if found or future.cancelled():
                    told.append(partial(self._tell, instance, future, found))
        return told

    def _tell(self, instance: int, future: Future[Outcome], outcome: Outcome | None) -> None:
        waiting = self._waiting[instance]
        del waiting[future]
        if not waiting:
            del self._waiting[instance]
        if outcome and future.set_running_or_notify_cancel():
            future.set_result(outcome)


def _find(execute: Execute, instance: int, required: Collection[str]) -> Outcome | None:
    """None as long as it is not known."""
    row = execute(_INSTANCE, (instance,)).fetchone()
    if row is None:
        return Outcome(PROCESSING_FAILURE, "it is gone")
    state, reason, answer = row
    if state == "pending":
        return None
    if answer is not None:
        return Outcome(answer, reason)
    deliveries: list[tuple[int, str, str, str]] = list(execute(_DELIVERIES, (instance,)))
    found = [
        _of_delivery(execute, delivery, destination, state, reason)
        for delivery, destination, state, reason in deliveries
        if destination in required and state != "suppressed"
    ]
    known = [one for one in found if one]
    if len(known) < len(found):
        return None
    return max(known, key=_badness, default=Outcome(SUCCESS))


def _of_delivery(
    execute: Execute, delivery: int, destination: str, state: str, reason: str
) -> Outcome | None:
    attempt = execute(_LAST_ATTEMPT, (delivery,)).fetchone()
    if attempt and attempt[0] is not None:
        return Outcome(*attempt)
    if state == "delivered":
        return Outcome(SUCCESS)
    if state in ("held", "discarded"):
        return Outcome(PROCESSING_FAILURE, f"{destination}: {state}: {reason}")
    return None


def _badness(outcome: Outcome) -> int:
    verdict = classify(outcome.status)
    if verdict is Verdict.DELIVERED:
        return 0
    return 1 if verdict is Verdict.DELIVERED_WITH_WARNING else 2
