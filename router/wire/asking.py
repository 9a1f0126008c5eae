"""Requests on an association of either direction, as many as may be outstanding, and responses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from router.wire import command as commands
from router.wire.association import Association
from router.wire.errors import ConnectionLost, PeerTimeout, SourceUnreadable, WireError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from router.dataset import Segment
    from router.wire.command import CommandSet
    from router.wire.limits import Pace
    from router.wire.pdv import Target
    from router.wire.service import Response


class Asking(Association):
    """An association on which we send requests that have one response without a data set.

    `responses` has those that came, by the Message ID they respond to, until somebody takes them.
    """

    def __init__(
        self, connection: socket.socket, mode: str, *, artim: float, pace: Pace, maximum_pdu: int
    ) -> None:
        super().__init__(connection, mode, artim=artim, pace=pace, maximum_pdu=maximum_pdu)
        self.responses: dict[int, Response] = {}
        self._outstanding: dict[int, None] = {}  # Message IDs as sent, the oldest first
        self._oldest_since = 0.0  # of the monotonic clock: before, others had to be answered

    def refresh(self) -> bool:
        """Deal with what the peer has sent since; whether the association is still open."""
        raise NotImplementedError

    def confirm_if_released(self) -> None:
        """Answer an A-RELEASE-RQ that came instead of what was awaited, if that is ours to do."""

    def ask(
        self,
        context_id: int,
        message_id: int,
        command: bytes,
        data_set: Sequence[Segment] | None,
        timeout: float,
    ) -> Response:
        """Send a request and wait for its response. An association that is over is found out then
        at the latest: to look before costs as much as sending.
        """
        self._send_request(context_id, message_id, command, data_set, timeout)
        while message_id not in self.responses:
            self.await_response(timeout)
        return self.responses.pop(message_id)

    def invoke(
        self,
        context_id: int,
        message_id: int,
        command: bytes,
        data_set: Sequence[Segment] | None,
        timeout: float,
    ) -> None:
        """Send a request; others may be outstanding, as many as were negotiated."""
        self.refresh()
        self._send_request(context_id, message_id, command, data_set, timeout)

    def _send_request(
        self,
        context_id: int,
        message_id: int,
        command: bytes,
        data_set: Sequence[Segment] | None,
        timeout: float,
    ) -> None:
        if not self.is_established:
            raise self.dul.failure or ConnectionLost("the association is over")
        try:
            self._check_oldest(timeout)
            self._outstanding[message_id] = None
            self.send_message(context_id, command, data_set)
        except SourceUnreadable as error:
            self._outstanding.pop(message_id)
            if error.begun:
                self.abort()
            raise
        except WireError as error:
            raise self.give_up(error) from error
        if len(self._outstanding) == 1:
            self._oldest_since = time.monotonic()

    def await_response(self, timeout: float) -> None:
        """Wait until there are `responses`; each has `timeout` seconds since all requests before
        its own were answered.
        """
        try:
            left = self._oldest_since + timeout - time.monotonic()
            if left <= 0:  # what has come meanwhile is not late
                self._read_ahead()
            self.await_until(lambda: bool(self.responses), left)
            if not self.responses:
                self._check_oldest(timeout)
        except WireError as error:
            raise self.give_up(error) from error

    def _read_ahead(self) -> None:
        for _ in range(2 * len(self._outstanding)):
            if not self.dul.pump(0):
                break

    def _check_oldest(self, timeout: float) -> None:
        if self._outstanding and time.monotonic() >= self._oldest_since + timeout:
            raise PeerTimeout(f"no response within {timeout:g} s")

    def await_until(self, satisfied: Callable[[], bool], timeout: float) -> None:
        """Deal with what comes until `satisfied()` or `timeout`; raises where the peer ends it."""
        said = self.dul.to_user_queue.queue  # the A-RELEASE or A-ABORT of the peer
        self.dul.pump_until(lambda: satisfied() or bool(said), timeout)
        if satisfied():
            return
        if self.dul.usable and said:
            self.confirm_if_released()
            raise ConnectionLost("the peer released the association instead of answering")
        if not self.dul.usable:
            raise self.dul.failure or ConnectionLost("the association is over")

    def begin_message(self, context_id: int, command: CommandSet, encoded: bytes) -> Target | None:
        if not command.field & commands.RESPONSE:
            return super().begin_message(context_id, command, encoded)
        if (
            self._outstanding
            and not command.has_data_set
            and (message_id := command.responded_message_id) in self._outstanding
        ):
            self.responses[message_id] = commands.response(command)
            if next(iter(self._outstanding)) == message_id:
                self._oldest_since = time.monotonic()
            del self._outstanding[message_id]
            return None
        return Unasked() if command.has_data_set else None

    def give_up(self, error: WireError) -> WireError:
        """End the association after `error`; the reason to report."""
        error = self.dul.explain(error)
        if self.dul.usable:
            self.dul.end(error)
        self.is_established = False
        self.kill()
        return self.dul.failure or error


class Unasked:
    """A data set of a message that nobody waits for: it is read, and thrown away."""

    def write(self, fragments: Sequence[memoryview]) -> None: ...
    def complete(self) -> None: ...
    def abandon(self) -> None: ...
