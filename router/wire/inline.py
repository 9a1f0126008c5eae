"""pynetdicom's upper layer and DIMSE provider without their threads.

Its state machine, decoders and negotiation are used as they are; whoever used to wait on a queue
that the DUL thread filled reads the socket instead. One thread per association, no polling.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, A_RELEASE, P_DATA
from pynetdicom.transport import AssociationSocket

from router.wire.errors import (
    AssociationAborted,
    ConnectionLost,
    ProtocolViolation,
    WireError,
)
from router.wire.pdv import INVALID_PARAMETER, UNEXPECTED_PDU, PdvReader
from router.wire.tolerance import tolerable
from router.wire.writer import sent_pdu_length

if TYPE_CHECKING:
    from pynetdicom.transport import T_CONNECT

    from router.wire.association import Association
    from router.wire.stream import Stream

_ASSOCIATE = (1, 2)
_ACSE = (A_ASSOCIATE, A_RELEASE, A_ABORT, A_P_ABORT)
_TITLES = 10  # where the AE titles are in an A-ASSOCIATE-RQ and -AC (PS3.8 tables 9-11, 9-17)
_LOST = "Evt17"
_CONTROL_STALL = 5.0  # an A-ABORT to a peer that does not read is not worth waiting for
_CANCELS_MAXIMUM = 10


class InlineSocket(AssociationSocket):
    """What the state machine's actions ask of a transport connection, which is there already."""

    def __init__(self, association: Association, stream: Stream) -> None:
        # Not super().__init__(): it would set up a socket of its own.
        self._assoc: Association = association
        self._ready = association._dul_ready
        self._ready.set()
        self._stream = stream
        self._is_connected = True
        self._tls_args = None
        self.socket = stream.socket

    def connect(self, primitive: T_CONNECT) -> None:
        primitive.result = "Evt2"
        self.provider_queue.put(primitive)

    def send(self, bytestream: bytes) -> None:
        try:
            self._stream.send([bytestream], stall=_CONTROL_STALL)
        except WireError as error:
            self._assoc.dul.fail(error)
            self.event_queue.put(_LOST)

    def close(self) -> None:
        self._shutdown_socket()
        if self._is_connected:
            self._is_connected = False
            self.event_queue.put(_LOST)

    def _shutdown_socket(self) -> None:
        self._stream.close()

    @property
    def ready(self) -> bool:
        return self._is_connected and self._stream.readable(0)


class InlineDUL(DULServiceProvider):
    """The upper layer, run by the thread that uses the association.

    `failure` is why the association ended other than by release, once it has.
    """

    socket: InlineSocket

    def __init__(self, association: Association, stream: Stream, maximum_pdu: int) -> None:
        super().__init__(association)
        self.stream = stream
        self.reader = PdvReader(stream, association, maximum_pdu)
        self.failure: WireError | None = None
        self.titles = b""
        self._running = False

    @property
    def alive(self) -> bool:
        return self._running and not self._kill_thread

    @property
    def usable(self) -> bool:
        """The association is not over: there may be more to read."""
        return self.alive and self.state_machine.current_state != "Sta13"

    def fail(self, error: WireError) -> None:
        """Keep the first reason: those that follow are its consequences."""
        if self.failure is None:
            self.failure = error

    def pump(self, timeout: float) -> bool:
        """Wait for the peer and deal with one message or PDU; False if none came in time.

        Never raises what the peer does: that ends the association and becomes `failure`.
        """
        self._run_events()
        if not self.usable:
            return False
        try:
            if not self.stream.readable(timeout):
                return False
            pdu = self.reader.read()
        except WireError as error:
            self.end(error)
            return True
        if pdu is not None:
            self.take_pdu(*pdu)
            if self.alive and not self.usable:
                text = f"PDU of type 0x{pdu[0]:02X} out of place"
                self.fail(ProtocolViolation(text, UNEXPECTED_PDU))
        return True

    def take_pdu(self, kind: int, encoded: bytes) -> None:
        """Run the state machine over a received PDU."""
        if kind == 1 and self.state_machine.current_state != "Sta2":
            self.event_queue.put("Evt6")  # never expected here; its content does not matter
        else:
            self._decode(encoded)
        self._run_events()

    def end(self, error: WireError) -> None:
        """The association cannot go on: tell the peer where that is still possible."""
        self.fail(error)
        if isinstance(error, ConnectionLost):
            self.event_queue.put(_LOST)
            self._run_events()
            return
        self.stream.forgive_interrupt()
        acse = cast("Any", self.assoc.acse)
        if isinstance(error, ProtocolViolation):
            acse.send_ap_abort(error.reason)
        else:
            acse.send_abort(0x00)

    def explain(self, error: WireError) -> WireError:
        """The A-ABORT that arrived before the connection was lost, if one did; else `error`."""
        if not isinstance(error, ConnectionLost) or self.reader.mid_message:
            return error
        try:
            while (pdu := self.reader.read()) is None:
                continue
        except WireError:
            return error
        return aborted_by_peer(pdu[1]) if pdu[0] == 7 else error

    # What pynetdicom's own code calls. The names are its.

    def start(self) -> None:
        self._running = True
        self._run_events()

    def is_alive(self) -> bool:
        return self.alive

    def stop_dul(self) -> bool:
        """Close the connection; an acceptor lets the peer do so first, for ARTIM."""
        self.reader.abandon()
        if self.alive and self.assoc.is_acceptor and self.state_machine.current_state == "Sta13":
            self.stream.discard_until_closed(self.assoc.acse_timeout or 0.0)
        self._kill_thread = True
        self.socket._shutdown_socket()
        return True

    def send_pdu(self, primitive: Any) -> None:  # noqa: ANN401 - any of pynetdicom's primitives
        if not self.usable:
            return  # pynetdicom aborts whatever ends without an answer, what is over already, too
        if isinstance(primitive, _ACSE):
            evt.trigger(self.assoc, evt.EVT_ACSE_SENT, {"primitive": primitive})
        self.to_provider_queue.put(primitive)
        self._run_events()

    def peek_next_pdu(self) -> Any:  # noqa: ANN401
        if not self.to_user_queue.queue and self.alive:
            self.pump(0)
        return super().peek_next_pdu()

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:  # noqa: ANN401
        if wait:
            self.pump_until(lambda: bool(self.to_user_queue.queue), timeout)
        return super().receive_pdu(wait=False)

    def pump_until(self, satisfied: Any, timeout: float | None) -> bool:  # noqa: ANN401
        """Pump until `satisfied()`, the end of the association, or `timeout`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not satisfied() and self.usable:
            left = 3600.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                break
            self.pump(left)
        return bool(satisfied())

    def _run_events(self) -> None:
        """Run the state machine until nothing is left to do."""
        while self.alive:
            if self.event_queue.empty() and not self._process_recv_primitive():
                return
            self.state_machine.do_action(self.event_queue.get(block=False))

    def _decode(self, encoded: bytes) -> None:
        try:
            plain = tolerable(encoded) if encoded[0] in _ASSOCIATE else encoded
            pdu, event = self._decode_pdu(bytearray(plain))
            pdu.to_primitive()  # what the state machine will do, where raising would be fatal
        except Exception:  # pynetdicom's decoders raise whatever a malformed PDU leads to
            self.fail(ProtocolViolation("undecodable PDU", INVALID_PARAMETER))
            self.event_queue.put("Evt19")
            return
        if encoded[0] == 7:
            self.fail(aborted_by_peer(encoded))
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)

    def _send(self, pdu: Any) -> None:  # noqa: ANN401
        encoded = pdu.encode()
        if self.titles and isinstance(pdu, A_ASSOCIATE_RQ | A_ASSOCIATE_AC):
            end = _TITLES + len(self.titles)
            encoded = encoded[:_TITLES] + self.titles + encoded[end:]
        self.socket.send(encoded)
        evt.trigger(self.assoc, evt.EVT_PDU_SENT, {"pdu": pdu})


class InlineDIMSE(DIMSEServiceProvider):
    """Messages that we do not code ourselves, as pynetdicom's primitives."""

    def get_msg(self, block: bool = False) -> Any:  # noqa: ANN401
        dul = cast("InlineDUL", self.dul)
        if block:
            dul.pump_until(lambda: bool(self.msg_queue.queue), self.dimse_timeout)
        elif not self.msg_queue.queue:
            dul.pump(0)
        return super().get_msg(block=False)

    @property
    def maximum_pdu_size(self) -> int:
        return sent_pdu_length(cast("Association", self.assoc).peer_maximum_pdu)

    def take(self, context_id: int, command: bytes, data_set: bytes) -> None:
        """Queue a whole message; what `receive_primitive` does, but never on another thread."""
        data = P_DATA()
        data.presentation_data_value_list.append((context_id, b"\x03" + command))
        if data_set:
            data.presentation_data_value_list.append((context_id, b"\x02" + data_set))
        message = DIMSEMessage()
        try:
            message.decode_msg(data, self.assoc)
            evt.trigger(self.assoc, evt.EVT_DIMSE_RECV, {"message": message})
            primitive = message.message_to_primitive()
        except Exception as error:  # as in InlineDUL._decode
            raise ProtocolViolation("undecodable message", INVALID_PARAMETER) from error
        if isinstance(primitive, C_CANCEL):
            if len(self.cancel_req) < _CANCELS_MAXIMUM:
                self.cancel_req[cast("int", primitive.MessageIDBeingRespondedTo)] = primitive
        else:
            self.msg_queue.put((context_id, cast("Any", primitive)))


def aborted_by_peer(pdu: bytes) -> AssociationAborted:
    """What an A-ABORT PDU says."""
    source, reason = pdu[8], pdu[9]
    return AssociationAborted(
        f"the peer aborted the association (source {source}, reason {reason})", source, reason
    )
