"""C-STOREs that are on their way at once on one association, where the peer grants a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.delivery.receipt import NotReached, Receipt
from router.instance import Rejected, Unavailable
from router.wire import WINDOW, SourceUnreadable, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.spool import DeliveryTask
    from router.wire import OutgoingAssociation, Response

_BYTES = 16 * 1024 * 1024  # outstanding: what fills 1 Gb/s over 100 ms, and is sent twice at most


class Offer:
    """What a destination is asked for; its lanes share it.

    There are peers that end an association because they were asked. Where one does before it has
    answered anything, the next is opened without asking; unless it has granted a window before.
    """

    def __init__(self) -> None:
        self._granted = self._doubted = False

    @property
    def window(self) -> int:
        return 1 if self._doubted else WINDOW

    def granted(self, window: int) -> None:
        self._granted = self._granted or window > 1

    def failed(self) -> None:
        """An association ended before anything was answered."""
        self._doubted = not self._granted and not self._doubted


class Ahead:
    """One association's outstanding C-STOREs; used by one thread.

    One may be outstanding at first, with each answer one more: an object that the peer always
    fails at is alone on its way when everything before it is answered. When the association ends,
    it was at the oldest; what became of those behind is not known, and no fault of theirs.
    """

    def __init__(self, association: OutgoingAssociation) -> None:
        self._association = association
        self._room = 1
        self._outstanding: dict[int, Sent] = {}

    def __repr__(self) -> str:
        return f"<Ahead {len(self._outstanding)} of {self._room} outstanding>"

    def store(
        self,
        context_id: int,
        task: DeliveryTask,
        move_originator: tuple[str, int] | None,
        judge: Callable[[Response], Receipt],
    ) -> Sent:
        """Send when there is room; raises as the sender does, NotReached for what others met."""
        while not self._admits(task):
            self.receive()
        try:
            message_id = self._association.store_ahead(
                context_id,
                task.sop_class_uid,
                task.sop_instance_uid,
                task.segments,
                move_originator=move_originator,
            )
        except SourceUnreadable as error:
            if error.begun:
                self._end("aborted by us: a file of the spool could not be read")
            raise Rejected(str(error)) from error
        except WireError as error:
            raise self._end(str(error)) from error
        sent = self._outstanding[message_id] = Sent(self, task, judge)
        self._take(self._association.responses(wait=False))
        return sent

    def finish(self) -> None:
        """Wait for all answers; raises NotReached when the association ends before."""
        while self._outstanding:
            self.receive()

    def receive(self) -> None:
        """Wait for an answer; raises NotReached when the association ends, all are settled then."""
        try:
            self._take(self._association.responses(wait=True))
        except WireError as error:
            self._end(str(error))
            raise NotReached(str(error)) from error

    def end(self) -> None:
        """The association is over; raises NotReached when something was outstanding."""
        outstanding = bool(self._outstanding)
        failure = self._end("the association ended before the answer")
        if outstanding:
            raise failure

    def _admits(self, task: DeliveryTask) -> bool:
        """Two versions of an instance are never on their way at once."""
        on_their_way = self._outstanding.values()
        if any(each.sop_instance_uid == task.sop_instance_uid for each in on_their_way):
            return False
        if not self._outstanding:
            return True
        size = sum(each.size for each in on_their_way) + task.size
        return len(self._outstanding) < self._room and size <= _BYTES

    def _take(self, responses: dict[int, Response]) -> None:
        for message_id, response in responses.items():
            sent = self._outstanding.pop(message_id, None)
            if sent is not None:  # or one that failed while it was sent, and was answered even so
                sent.response = response
                self._room = min(self._room + 1, self._association.window)

    def _end(self, reason: str) -> Unavailable:
        """Settle what is outstanding; what it means to one behind them."""
        self._association.abort()
        self._take(self._association.responses(wait=False))
        failure = Unavailable(reason)
        for sent in self._outstanding.values():
            sent.failure, failure = failure, NotReached(reason)
        self._outstanding.clear()
        return failure


class Sent:
    """The promise of one C-STORE's answer."""

    def __init__(
        self, ahead: Ahead, task: DeliveryTask, judge: Callable[[Response], Receipt]
    ) -> None:
        self.sop_instance_uid = task.sop_instance_uid
        self.size = task.size
        self.response: Response | None = None
        self.failure: Unavailable | None = None
        self._ahead = ahead
        self._judge = judge

    @property
    def ready(self) -> bool:
        return self.response is not None or self.failure is not None

    def result(self) -> Receipt:
        while not self.ready:
            try:
                self._ahead.receive()
            except NotReached:
                break  # it is this one's failure, too
        if self.response is not None:
            return self._judge(self.response)
        assert self.failure is not None
        raise self.failure
