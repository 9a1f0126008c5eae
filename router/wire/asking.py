"""Requests on an association of either direction: one at a time, and its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.wire import command as commands
from router.wire.association import Association
from router.wire.errors import ConnectionLost, PeerTimeout, SourceUnreadable, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.dataset import Segment
    from router.wire.command import CommandSet
    from router.wire.pdv import Target
    from router.wire.service import Response


class Asking(Association):
    """An association on which we send requests that have one response without a data set."""

    _awaited: int | None = None
    _response: CommandSet | None = None

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
        """Send a request and wait for its response."""
        if not self.refresh():
            raise self.dul.failure or ConnectionLost("the association is over")
        self._awaited, self._response = message_id, None
        try:
            self.send_message(context_id, command, data_set)
            return commands.response(self._await_response(timeout))
        except SourceUnreadable as error:
            if error.begun:
                self.abort()
            raise
        except WireError as error:
            raise self.give_up(error) from error
        finally:
            self._awaited = None

    def _await_response(self, timeout: float) -> CommandSet:
        self.await_until(lambda: self._response is not None, timeout)
        if self._response is None:
            raise PeerTimeout(f"no response within {timeout:g} s")
        return self._response

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
            self._awaited is not None
            and not command.has_data_set
            and command.responded_message_id == self._awaited
        ):
            self._response = command
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
