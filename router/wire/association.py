"""The association class of both directions: pynetdicom's, run inline, with our own data path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pynetdicom.association
from pynetdicom import AE, evt

from router.dataset.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from router.wire import command as commands
from router.wire.errors import ProtocolViolation
from router.wire.inline import InlineDIMSE, InlineDUL, InlineSocket
from router.wire.limits import DEFAULT_PEER_PDU, IDENTIFIER_MAXIMUM
from router.wire.pdv import INVALID_PARAMETER
from router.wire.service import Response
from router.wire.stream import Stream
from router.wire.writer import MessageWriter

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from router.dataset import Segment
    from router.wire.command import CommandSet
    from router.wire.limits import Pace
    from router.wire.pdv import Target

# What pynetdicom reads of an application entity; never used to listen or connect.
_AE = AE()
_AE.implementation_class_uid = IMPLEMENTATION_CLASS_UID
_AE.implementation_version_name = IMPLEMENTATION_VERSION_NAME


class Association(pynetdicom.association.Association):
    """An association over a connected socket, used by one thread.

    Subclasses take over the messages they know in `begin_message`; all others become pynetdicom
    primitives in `dimse.msg_queue`.
    """

    dul: InlineDUL
    dimse: InlineDIMSE
    identifier_maximum = IDENTIFIER_MAXIMUM

    def __init__(
        self, connection: socket.socket, mode: str, *, artim: float, pace: Pace, maximum_pdu: int
    ) -> None:
        super().__init__(_AE, mode)
        self.stream = Stream(connection, pace)
        self.dul = InlineDUL(self, self.stream, maximum_pdu)
        self.dul.socket = InlineSocket(self, self.stream)
        self.dimse = InlineDIMSE(self)
        self.acse_timeout = artim
        local = self.requestor if self.is_requestor else self.acceptor
        local.maximum_length = maximum_pdu
        local.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._writer: MessageWriter | None = None
        self._encoded = b""
        self._decoded = commands.CommandSet({})

    @property
    def peer_maximum_pdu(self) -> int:
        """What the peer receives at most; 0 is no limit. Known once it has spoken."""
        peer = self.acceptor if self.is_requestor else self.requestor
        length = peer.maximum_length
        return DEFAULT_PEER_PDU if length is None else length

    def send_message(
        self, context_id: int, command: bytes, data_set: Sequence[Segment] | None = None
    ) -> None:
        """Send a message past the state machine, which P-DATA does not move (PS3.8 DT-1)."""
        heed_abort = not self.dul.reader.mid_message
        self.writer.send(context_id, command, data_set, heed_abort=heed_abort)

    @property
    def writer(self) -> MessageWriter:
        if self._writer is None:
            self._writer = MessageWriter(self.stream, self.peer_maximum_pdu)
        return self._writer

    def begin(self, context_id: int, command: bytes) -> Target | None:
        """A command set has arrived; where its data set goes."""
        if context_id not in self._accepted_cx:
            raise ProtocolViolation(f"context {context_id} was not accepted", INVALID_PARAMETER)
        if command != self._encoded:  # the responses of a query are all the same
            self._decoded, self._encoded = commands.decode(command), command
        decoded = self._decoded
        if decoded.field == commands.C_ECHO_RQ and not decoded.has_data_set:
            answer = commands.encode_response(decoded, Response(0x0000))
            self.send_message(context_id, answer)
            return None
        return self.begin_message(context_id, decoded, command)

    def begin_message(self, context_id: int, command: CommandSet, encoded: bytes) -> Target | None:
        """A message that is not C-ECHO."""
        collected = Collected(self, context_id, encoded)
        if command.has_data_set:
            return collected
        collected.complete()
        return None

    def release(self) -> None:
        if self.is_established:
            self.acse.negotiate_release()

    def confirm_release(self) -> None:
        """Answer the A-RELEASE-RQ that has arrived, and close."""
        self.acse.send_release(is_response=True)
        self.is_released = True
        self.is_established = False
        evt.trigger(self, evt.EVT_RELEASED, {})
        self.kill()

    def kill(self) -> None:
        self._kill = True
        self.is_established = False
        self.dul.stop_dul()

    def _abort_blocking(self, block: bool = True) -> None:
        """Not pynetdicom's: that one sleeps, and its way out of a stalled connection is broken."""
        if not self.dul.usable:
            self.kill()
            return
        self.acse.send_abort(0x00)
        evt.trigger(self, evt.EVT_ABORTED, {})
        self.kill()


class Collected:
    """A message of a service without a path of its own: kept in memory, within a cap."""

    def __init__(self, association: Association, context_id: int, command: bytes) -> None:
        self._association = association
        self._context_id = context_id
        self._command = command
        self._data_set = bytearray()

    def write(self, fragments: Sequence[memoryview]) -> None:
        for fragment in fragments:
            self._data_set += fragment
        maximum = self._association.identifier_maximum
        if len(self._data_set) > maximum:
            text = f"data set of more than {maximum} bytes for no C-STORE"
            raise ProtocolViolation(text, INVALID_PARAMETER)

    def complete(self) -> None:
        self._association.dimse.take(self._context_id, self._command, bytes(self._data_set))

    def abandon(self) -> None:
        self._data_set.clear()
