"""From a retrieve's deliveries to its requestor: over an association of its own, or the C-GET's."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.config import DicomDestination
from router.delivery import DicomSender, NotReached, Receipt, RewritingSender
from router.instance import Hold, Rejected, Unavailable
from router.spool import Attempt, Passed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.dataset import Segment
    from router.delivery import Hooks, TaskSender
    from router.query.counting import Tally
    from router.spool import DeliveryTask, Ledger, Retrieve
    from router.spool.records import AttemptOutcome
    from router.wire import Exchange, OutgoingAssociation, Response

log = logging.getLogger("router.query")

_AT_ONCE = 16
_UNREACHABLE = "the move destination cannot be reached"


class Outgoing:
    """Takes the deliveries of one retrieve and sends them; used by one thread."""

    def __init__(
        self, ledger: Ledger, retrieve: Retrieve, sender: TaskSender, tally: Tally, name: str
    ) -> None:
        self._ledger = ledger
        self._retrieve = retrieve
        self._sender = sender
        self._tally = tally
        self._name = name  # of the destination whose settings count
        self.unreachable: str | None = None  # why nothing can be sent any more
        self._look = False

    def look(self) -> None:
        """From any thread: the ledger has something, or may have."""
        self._look = True

    def step(self, halted: Callable[[], bool], after_each: Callable[[], None]) -> bool:
        """Send what is there; whether that was anything."""
        sent = self._pass_on(halted, after_each)
        if not self._look:
            return sent
        self._look = False
        tasks = self._ledger.claim(self._retrieve.destination, _AT_ONCE)
        self._look = self._look or bool(tasks)
        for index, task in enumerate(tasks):
            if halted():
                self._ledger.release_claims([each.delivery_id for each in tasks[index:]])
                break
            self._ledger.finish([self._send(task)])
            after_each()
        return sent or bool(tasks)

    def _pass_on(self, halted: Callable[[], bool], after_each: Callable[[], None]) -> bool:
        """Send what is in transit."""
        transit, sent = self._retrieve.transit, False
        while transit and not halted() and (passing := transit.take()):
            attempt = self._send(passing.task())
            self._ledger.passed(transit, Passed(passing.arrival, attempt))
            after_each()
            sent = True
        return sent

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._sender.close()

    def _send(self, task: DeliveryTask) -> Attempt:
        outcome: AttemptOutcome = "discarded"
        status, comment = None, self.unreachable or ""
        if self.unreachable is None:
            try:
                text = self._sender.send(replace(task, destination=self._name))
                status = text.status if isinstance(text, Receipt) else None
                comment, outcome = str(text), "delivered"
            except NotReached as failure:
                comment = self.unreachable = f"{_UNREACHABLE}: {failure.reason}"
            except (Unavailable, Rejected) as failure:
                status, comment = failure.status, failure.reason
            except Hold as hold:
                comment = hold.reason
            except Exception as error:
                log.exception("retrieve.failed destination=%s", self._name)
                comment = f"{type(error).__name__} in the sender"
        if outcome == "delivered":
            self._tally.sent(status)
        else:
            self._tally.refused(task.sop_instance_uid, comment)
        return self._attempt(task, outcome, status, comment)

    def _attempt(
        self, task: DeliveryTask, outcome: AttemptOutcome, status: int | None, comment: str
    ) -> Attempt:
        where, now = self._retrieve.destination, datetime.now(UTC)
        log.log(
            logging.DEBUG if outcome == "delivered" else logging.WARNING,
            "retrieve.%s destination=%s sop_instance=%s status=%s comment=%s",
            outcome, self._name, task.sop_instance_uid,
            "-" if status is None else f"0x{status:04X}", comment,
        )  # fmt: skip
        return Attempt(task.delivery_id, now, outcome, status, comment, None, where)


class Forwarder(threading.Thread):
    """Sends to a move destination beside the thread that answers the requestor.

    `told` is called whenever all is sent that there was.
    """

    def __init__(self, outgoing: Outgoing, told: Callable[[], None]) -> None:
        super().__init__(name="retrieve-forward", daemon=True)
        self._outgoing = outgoing
        self._told = told
        self._wake = threading.Event()
        self._stopping = False

    def run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                if self._is_idle():
                    self._wake.wait(1.0)
        finally:
            self._outgoing.close()

    def _is_idle(self) -> bool:
        """Send what there is; whether there is nothing more for now."""
        try:
            if self._outgoing.step(lambda: self._stopping, lambda: None):
                return False
            self._told()
        except Exception:  # of many kinds; a requestor would wait for what is not sent
            log.exception("retrieve.forwarder_failed")
        return True

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """End after the instance that is under way."""
        self._stopping = True
        self._wake.set()


def move_sender(
    settings: DicomDestination,
    name: str,
    hooks: Hooks,
    ledger: Ledger,
    retrieve: Retrieve,
    originator: tuple[str, int],
) -> TaskSender:
    """A sender to a move destination that says who asked for what it sends."""

    def upcoming() -> set[tuple[str, str]]:
        passing = retrieve.transit.kinds() if retrieve.transit else set()
        return passing | ledger.waiting_kinds(retrieve.destination)

    sender = DicomSender(
        settings,
        upcoming,
        hooks,
        move_originator=originator,
    )
    return RewritingSender(sender, hooks) if hooks.rewrites(name) else sender


class _Requestor:
    """The association of a C-GET as what instances are sent on."""

    def __init__(self, exchange: Exchange, timeout: float) -> None:
        self._exchange = exchange
        self._timeout = timeout
        self.accepted = exchange.accepted

    @property
    def is_open(self) -> bool:
        return not self._exchange.is_over

    def context_for(self, sop_class_uid: str, transfer_syntax: str) -> int | None:
        return self.accepted.get((sop_class_uid, transfer_syntax))

    def store(
        self,
        context_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        segments: Sequence[Segment],
        **_: object,
    ) -> Response:
        return self._exchange.store(
            context_id, sop_class_uid, sop_instance_uid, segments, self._timeout
        )

    def abort(self) -> None: ...
    def release(self) -> None: ...


class GetSender(DicomSender):
    """Sends on the association of the C-GET itself; what that has no context for is made fit."""

    def __init__(self, ae_title: str, exchange: Exchange, timeout: float, hooks: Hooks) -> None:
        settings = DicomDestination(ae_title=ae_title, host="requestor")
        super().__init__(settings, tuple, hooks)
        self._requestor = _Requestor(exchange, timeout)

    def _associated(self, kind: tuple[str, str], calling_ae_title: str) -> OutgoingAssociation:
        if not self._requestor.is_open:
            raise Unavailable("the requestor has left")
        return self._requestor  # type: ignore[return-value]  # all that a DicomSender uses of it
