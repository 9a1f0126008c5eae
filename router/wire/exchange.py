"""A query or retrieve that we serve: pending responses, C-CANCEL, sub-operations of a C-GET."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.wire import command as commands
from router.wire.errors import ConnectionLost
from router.wire.query_commands import encode_query_response
from router.wire.waking import Waker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.dataset import Segment
    from router.wire.queries import QueryRequest, QueryResponse
    from router.wire.service import Response
    from router.wire.serving import ServedAssociation


class Exchange:
    """Used by the association's thread; only `wake` may be called by others."""

    def __init__(self, association: ServedAssociation, request: QueryRequest) -> None:
        self._association = association
        self._request = request
        self._waker = Waker()
        self._message_id = 0
        self._status, self._match = 0, b""  # of the last match, and how its response is written

    @property
    def is_cancelled(self) -> bool:
        """The requestor has sent a C-CANCEL, as far as it was read."""
        return self._request.message_id in self._association.cancelled

    @property
    def is_over(self) -> bool:
        """The requestor has left: nobody waits for an answer."""
        association = self._association
        return not association.dul.usable or bool(association.dul.to_user_queue.queue)

    @property
    def accepted(self) -> dict[tuple[str, str], int]:
        """The association's contexts: (abstract syntax, transfer syntax) → context ID."""
        return {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])): context_id
            for context_id, context in self._association._accepted_cx.items()
        }

    def send(self, *responses: QueryResponse) -> None:
        """Send responses, and see what has come meanwhile; waits for a slow requestor.

        Raises `WireError` when the association is over.
        """
        self._raise_if_gone()
        association = self._association
        association.writer.send_small(
            self._request.context_id,
            [(self._command(each), each.identifier) for each in responses],
            heed_abort=not association.dul.reader.mid_message,
        )
        if not responses[-1].is_last:
            association.refresh()

    def _command(self, response: QueryResponse) -> bytes:
        """Matches differ in their Identifiers only."""
        is_match = response.identifier is not None and response.counts is None
        if not is_match or response.error_comment or response.status != self._status:
            command = encode_query_response(self._request, response)
            if not is_match or response.error_comment:
                return command
            self._status, self._match = response.status, command
        return self._match

    def wait(self, timeout: float) -> None:
        """Wait until the requestor says something, `wake` is called, or `timeout` seconds."""
        stream = self._association.stream
        stream.waker = self._waker
        try:
            self._association.dul.pump(timeout)
        finally:
            stream.waker = None
        self._association.refresh()

    def wake(self) -> None:
        """From any thread: end the `wait`."""
        self._waker.wake()

    def store(
        self,
        context_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        segments: Sequence[Segment],
        timeout: float,
    ) -> Response:
        """A sub-operation of a C-GET: raises as `OutgoingAssociation.store` does."""
        self._message_id = self._message_id % 0xFFFF + 1
        command = commands.encode_store_request(
            self._message_id, sop_class_uid, sop_instance_uid, self._request.priority, None
        )
        return self._association.ask(context_id, self._message_id, command, segments, timeout)

    def close(self) -> None:
        self._waker.close()

    def _raise_if_gone(self) -> None:
        if self.is_over:
            raise self._association.dul.failure or ConnectionLost("the requestor has left")
