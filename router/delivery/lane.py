"""One sender of a destination in a thread of its own: takes, sends, writes down."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from router.delivery.receipt import NotReached, Receipt
from router.instance import Delivery, Hold, Rejected, Unavailable
from router.spool import Attempt, SpoolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.delivery.backlog import Backlog
    from router.delivery.outgoing import TaskSender
    from router.delivery.receipt import Promise
    from router.spool import AttemptOutcome, DeliveryTask

log = logging.getLogger("router.delivery")

_IDLE = 60.0  # seconds a lane without a sender waits before it looks around
_FIRST_OBJECT_RETRY = 60.0  # seconds, then four times as long: three tries in five minutes
_AFTER_TROUBLE = 5.0  # seconds before a ledger that could not be read is asked again


class Lane(threading.Thread):
    """Ends when its backlog has nothing more for it, after the delivery that is under way."""

    def __init__(
        self,
        number: int,
        backlog: Backlog,
        open_sender: Callable[[], TaskSender],
        probe: Callable[[DeliveryTask], None] | None,
        ended: Callable[[Delivery], None] | None,
    ) -> None:
        super().__init__(name=f"deliver-{backlog.name}-{number}", daemon=True)
        self.number = number
        self._backlog = backlog
        self._open_sender = open_sender
        self._probe = probe
        self._ended = ended
        self._sender: TaskSender | None = None
        self._study = ""  # the last one this lane was given something of
        self._unanswered: list[tuple[DeliveryTask, Promise]] = []  # as they were sent
        self._failed: list[tuple[DeliveryTask, Unavailable]] = []  # what an association failed at

    def run(self) -> None:
        while not self._backlog.ended(self.number):
            tasks = self._take()
            if tasks:
                self._send_all(tasks)
            elif self._unanswered:
                self._settle()
            else:
                self._leave()
        self._settle()
        self._leave()

    def _leave(self) -> None:
        self._close_sender()
        self._backlog.left(self.number)

    def _take(self) -> list[DeliveryTask]:
        try:
            return self._backlog.take(self.number, self._patience())
        except Exception:  # of many kinds; a lane that ended would never be missed
            log.exception("ledger.unreadable destination=%s", self._backlog.name)
            time.sleep(_AFTER_TROUBLE)
            return []

    def _patience(self) -> float:
        """Seconds an idle association is kept; `study` closes it when its study is sent. None while
        answers are to come.
        """
        if self._unanswered:
            return 0.0
        if self._sender is None:
            return _IDLE
        close_after = self._backlog.settings.close_after
        return 0.0 if close_after == "study" else close_after

    def _send_all(self, tasks: list[DeliveryTask]) -> None:
        if self._backlog.outage and self._probe:
            if not self._settle():
                self._backlog.give_back(tasks)
                return
            if self._backlog.outage and not self._is_back(tasks, self._probe):
                return
        for index, task in enumerate(tasks):
            self._backlog.pace(task)
            if self._backlog.halted or self._backlog.ended(self.number):
                self._backlog.give_back(tasks[index:])
                return
            if self._backlog.withdrawn(task):
                self._backlog.give_back([task])
                continue
            self._send(task)
            if self._failed:
                self._destination_failed(tasks[index + 1 :])
                return

    def _is_back(self, tasks: list[DeliveryTask], probe: Callable[[DeliveryTask], None]) -> bool:
        """Ask the destination that failed; where it fails again no object is tried."""
        self._close_sender()
        try:
            probe(tasks[0])
        except Unavailable as failure:
            self._backlog.failed(self.number, tasks, failure.reason)
            self._hold_overdue(failure)
            return False
        return True

    def _send(self, task: DeliveryTask) -> None:
        """Send one, and write down how those ended that are answered; or it is in `_failed`."""
        last, self._study = self._study, task.study_instance_uid
        if self._backlog.settings.close_after == "study" and last != self._study:
            self._settle_ready(wait=True)
            if self._failed:
                self._backlog.give_back([task])
                return
            self._close_sender()
        try:
            self._judged(task, partial(self._sent, task))
        except Unavailable as failure:
            self._settle_ready(wait=True)
            self._failed.append((task, failure))
        self._settle_ready(wait=False)

    def _sent(self, task: DeliveryTask) -> str | Promise:
        if self._sender is None:
            self._sender = self._open_sender()
        return self._sender.send(replace(task, destination=self._backlog.name))

    def _judged(self, task: DeliveryTask, answer: Callable[[], str | Promise]) -> None:
        """Write down what the answer means, if it is one already; raises Unavailable."""
        try:
            text = answer()
        except Unavailable:
            raise
        except Rejected as refusal:
            self._object_refused(task, refusal, self._backlog.settings.object_tries)
            self._backlog.worked()
        except Hold as hold:
            self._object_refused(task, Rejected(hold.reason), tries=1)
        except (Exception, SystemExit) as error:
            # A sender that fails in a way of its own: this object waits, the association goes.
            self._settle_ready(wait=True)
            self._close_sender()
            where = f"{type(error).__name__} in the destination's sender"
            log.exception("delivery.failed destination=%s", self._backlog.name)
            self._object_refused(task, Rejected(where), self._backlog.settings.object_tries)
        else:
            if not isinstance(text, str):
                self._unanswered.append((task, text))
                return
            status = text.status if isinstance(text, Receipt) else None
            self._write_down(task, "delivered", status, text)
            self._backlog.worked()

    def _settle(self) -> bool:
        """Wait for the answers to all that is on its way; whether the destination took it well."""
        self._settle_ready(wait=True)
        if self._failed:
            self._destination_failed([])
            return False
        return True

    def _settle_ready(self, *, wait: bool) -> None:
        """Write down what is answered, or with `wait` all; what failed is in `_failed` then."""
        unanswered, self._unanswered = self._unanswered, []
        for task, promise in unanswered:
            if not wait and not promise.ready:
                self._unanswered.append((task, promise))
                continue
            try:
                self._judged(task, promise.result)
            except Unavailable as failure:
                self._failed.append((task, failure))

    def _object_refused(self, task: DeliveryTask, refusal: Rejected, tries: int) -> None:
        status, reason = refusal.status, refusal.reason
        if task.destination != self._backlog.name:
            # What its stand-in would not have may still be taken by its own destination.
            self._write_down(task, "refused", status, reason, self._behind_the_others(task))
        elif task.refusals + 1 >= tries:
            self._write_down(task, "held", status, reason)
        else:
            wait = timedelta(seconds=_FIRST_OBJECT_RETRY * 4**task.refusals)
            self._write_down(task, "refused", status, reason, datetime.now(UTC) + wait)

    def _destination_failed(self, rest: list[DeliveryTask]) -> None:
        """Write down what `_failed`, and have the rest and it tried again later."""
        self._settle_ready(wait=True)
        self._close_sender()
        failed, self._failed = self._failed, []
        for task, failure in failed:
            if self._waits_too_long(task):
                self._write_down(task, "held", failure.status, failure.reason)
            else:
                due = None if isinstance(failure, NotReached) else self._behind_the_others(task)
                self._write_down(task, "retry", failure.status, failure.reason, due)
        _, first = failed[0]
        self._backlog.failed(self.number, rest, first.reason)
        self._hold_overdue(first)

    def _hold_overdue(self, failure: Unavailable) -> None:
        while tasks := self._backlog.overdue():
            for task in tasks:
                self._write_down(task, "held", failure.status, failure.reason)

    def _waits_too_long(self, task: DeliveryTask) -> bool:
        own = task.destination == self._backlog.name
        return own and self._backlog.waits_too_long(task)

    def _behind_the_others(self, task: DeliveryTask) -> datetime:
        """When to try again what a destination failed at: it may be the one object that it always
        fails at, so the next try is another's.
        """
        retry = self._backlog.settings.retry
        wait = min(retry.first * 2 ** min(task.attempts, 32), retry.longest)
        return datetime.now(UTC) + timedelta(seconds=wait)

    def _write_down(
        self,
        task: DeliveryTask,
        outcome: AttemptOutcome,
        status: int | None,
        comment: str,
        retry_at: datetime | None = None,
    ) -> None:
        here = self._backlog.name
        now = datetime.now(UTC)
        attempt = Attempt(task.delivery_id, now, outcome, status, comment, retry_at, here)
        log.log(
            logging.DEBUG if outcome == "delivered" else logging.WARNING,
            "delivery.%s destination=%s route=%s sop_instance=%s status=%s comment=%s",
            outcome, here, task.route, task.sop_instance_uid,
            "-" if status is None else f"0x{status:04X}", comment,
        )  # fmt: skip
        recorded = self._backlog.record(attempt)
        if self._ended and outcome in ("delivered", "held"):
            with contextlib.suppress(SpoolError):  # said by the backlog
                recorded.result()
                self._ended(_delivery(replace(task, destination=here), attempt))

    def _close_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is None:
            return
        try:
            sender.close()
        except Exception:
            log.exception("sender.close destination=%s", self._backlog.name)


def _delivery(task: DeliveryTask, attempt: Attempt) -> Delivery:
    return Delivery(
        destination=task.destination,
        route=task.route,
        sop_instance_uid=task.sop_instance_uid,
        study_instance_uid=task.study_instance_uid,
        outcome="delivered" if attempt.outcome == "delivered" else "held",
        status=attempt.status,
        comment=attempt.comment,
        attempts=task.attempts + 1,
    )
