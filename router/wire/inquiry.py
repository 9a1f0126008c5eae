"""Queries and retrieves we ask for: responses as they come, C-CANCEL, and what a C-GET brings."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from router.wire.errors import ProtocolViolation, WireError
from router.wire.identifier import Identifier
from router.wire.incoming import tell
from router.wire.pdv import INVALID_PARAMETER
from router.wire.query_commands import (
    encode_cancel_request,
    encode_query_request,
    query_response,
)
from router.wire.waking import Waker

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.wire.command import CommandSet
    from router.wire.pdv import Target
    from router.wire.queries import QueryRequest, QueryResponse
    from router.wire.requesting import Requesting
    from router.wire.service import Response, StoreRequest, StoreSink

_FEW = 8  # responses
_REST = 0.02  # seconds


class Inquiry:
    """One C-FIND, C-MOVE or C-GET under way on an association that does nothing else meanwhile.

    Used by one thread; `cancel` may be called by any. `store` takes what a C-GET brings, and
    `ended` is told when no more can come.
    """

    def __init__(
        self,
        association: Requesting,
        request: QueryRequest,
        store: Callable[[StoreRequest], StoreSink | Response] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self._association = association
        self._request = request
        self.store = store
        self._ended = ended
        self._arrived: deque[QueryResponse] = deque()
        self._waker = Waker()
        self._lock = threading.Lock()
        self._taken = 0
        self._wants_cancel = self._cancelled = False
        self.is_over = False

    def begin(self) -> None:
        """Send the request. Raises `WireError`, which ends the association."""
        self._association.stream.waker = self._waker
        self._association.inquiry = self
        try:
            if not self._association.refresh():
                raise WireError("the association is over")
            command = encode_query_request(self._request)
            self._association.send_message(
                self._request.context_id, command, [self._request.identifier]
            )
        except WireError as error:
            reason = self._association.give_up(error)
            self.end()
            raise reason from error

    def receive(self, timeout: float) -> QueryResponse | None:
        """The next response, None when none came in time (seconds) or `cancel` was called.

        Raises `WireError`, which ends the association. Nothing is read ahead: a requestor that is
        slow to take responses slows down who sends them.
        """
        try:
            self._send_cancel()
            if not self._arrived:
                self._rest()
                self._association.await_until(self._has_news, timeout)
            self._send_cancel()
        except WireError as error:
            reason = self._association.give_up(error)
            self.end()
            raise reason from error
        if not self._arrived:
            return None
        response = self._arrived.popleft()
        if response.is_last:
            self.end()
        return response

    def _rest(self) -> None:
        """The pending responses of a C-MOVE only tell how far it is: of many, several are read at
        once, as to wake for each takes as long as to pass on the instance it is about.
        """
        is_long = self._request.service == "move" and self._taken > _FEW
        if is_long and not self._association.stream.pending:
            time.sleep(_REST)

    def cancel(self) -> None:
        """Send C-CANCEL as soon as may be; responses go on until the last one."""
        with self._lock:
            self._wants_cancel = True
        self._waker.wake()

    def end(self) -> None:
        """Nothing more is expected."""
        if not self.is_over:
            self.is_over = True
            self._association.inquiry = None
            self._association.stream.waker = None
            self._waker.close()
            if self._ended is not None:
                tell(self._ended)

    def _has_news(self) -> bool:
        return bool(self._arrived) or (self._wants_cancel and not self._cancelled)

    def _send_cancel(self) -> None:
        if self._wants_cancel and not self._cancelled:
            self._cancelled = True
            self._association.send_message(
                self._request.context_id, encode_cancel_request(self._request.message_id)
            )

    def begin_response(self, command: CommandSet) -> Target | None:
        """A response has begun; where its Identifier goes."""
        if command.responded_message_id != self._request.message_id:
            raise ProtocolViolation("response to no request of ours", INVALID_PARAMETER)
        if command.has_data_set:
            return Identifier(lambda data: self._take(query_response(command, data)))
        self._take(query_response(command, None))
        return None

    def _take(self, response: QueryResponse) -> None:
        self._arrived.append(response)
        self._taken += 1
