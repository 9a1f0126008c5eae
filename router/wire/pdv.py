"""From the receive buffer to messages: PDUs and PDVs are read where they lie, nothing is copied."""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from router.wire.errors import ProtocolViolation
from router.wire.limits import (
    COMMAND_SET_MAXIMUM,
    CONTROL_PDU_MAXIMUM,
    EMPTY_FRAGMENTS_MAXIMUM,
    PDU_SLACK,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.wire.stream import Stream

PDU_HEADER = struct.Struct(">BxL")  # type, length
PDV_HEADER = struct.Struct(">LBB")  # length, presentation context ID, message control header

P_DATA_TF = 4
_CONTROL_PDUS = {1: 0, 2: CONTROL_PDU_MAXIMUM, 3: 4, 5: 4, 6: 4, 7: 4}  # longest that is read

_COMMAND = 1  # bits of the message control header, PS3.8 E.2
_LAST = 2

UNRECOGNIZED_PDU = 1  # A-ABORT reasons, PS3.8 table 9-26
UNEXPECTED_PDU = 2
UNEXPECTED_PARAMETER = 5
INVALID_PARAMETER = 6


class Target(Protocol):
    """Where one message's data set goes."""

    def write(self, fragments: Sequence[memoryview]) -> None: ...
    def complete(self) -> None: ...
    def abandon(self) -> None: ...


class Receiver(Protocol):
    """Who is told about messages."""

    def begin(self, context_id: int, command: bytes) -> Target | None:
        """A command set is whole: where its data set goes, None if none follows."""


class _Parsed(Enum):
    NEEDS_MORE = 1
    MESSAGE = 2
    PDU = 3


class PdvReader:
    """Reads one message, or one PDU that is not P-DATA, at a time.

    P-DATA is parsed in the buffer; payload is handed on as views, once per buffer fill.
    """

    def __init__(self, stream: Stream, receiver: Receiver, maximum_pdu: int) -> None:
        self._stream = stream
        self._receiver = receiver
        self._longest_pdu = maximum_pdu + PDU_SLACK
        self.command_set_maximum = COMMAND_SET_MAXIMUM
        self._pdu_left = 0
        self._pdv_left = 0
        self._control = 0
        self._context_id: int | None = None  # of the message under way
        self._command = bytearray()
        self._target: Target | None = None
        self._views: list[memoryview] = []
        self._empty_fragments = 0
        self._pdu: tuple[int, bytes] = (0, b"")
        self._needed = 0  # bytes in a row, for a control PDU

    @property
    def mid_message(self) -> bool:
        """What comes next is not the start of a PDU or message."""
        return bool(self._pdu_left) or self._context_id is not None

    def read(self) -> tuple[int, bytes] | None:
        """None after a whole message; (type, PDU) of another PDU.

        The body of an A-ASSOCIATE-RQ, which is never expected here, is not read.
        Raises `ProtocolViolation`, `ConnectionLost`, `PeerTimeout` or `AssociationAborted`.
        """
        stream = self._stream
        stream.restore_patience()
        while (parsed := self._parse()) is _Parsed.NEEDS_MORE:
            if not stream.pending and not self._views:
                stream.start = stream.end = 0
            elif stream.room < len(stream.buffer) // 4 or self._needed > len(stream.buffer):
                grow = bool(self._views) or self._needed > len(stream.buffer)
                self._flush()
                stream.compact(grow=grow)
            stream.receive()
        if parsed is _Parsed.PDU:
            return self._pdu
        self._end_message()
        return None

    def abandon(self) -> None:
        """The association is over; so is the message that was under way."""
        self._views.clear()
        target, self._target = self._target, None
        if target is not None:
            target.abandon()

    def _parse(self) -> _Parsed:
        """Go through what is buffered."""
        stream = self._stream
        while True:
            unread = stream.end - stream.start
            if self._pdv_left:
                if not unread:
                    return _Parsed.NEEDS_MORE
                self._take(min(unread, self._pdv_left))
                if not self._pdv_left and self._end_fragment():
                    return _Parsed.MESSAGE
            elif unread < 6:
                return _Parsed.NEEDS_MORE
            elif self._pdu_left:
                if self._begin_fragment() and self._end_fragment():
                    return _Parsed.MESSAGE
            elif (parsed := self._begin_pdu(unread)) is not None:
                return parsed

    def _begin_pdu(self, unread: int) -> _Parsed | None:
        stream = self._stream
        kind, length = PDU_HEADER.unpack_from(stream.buffer, stream.start)
        if kind != P_DATA_TF:
            return self._control_pdu(kind, length, unread)
        if not 6 <= length <= self._longest_pdu:
            raise ProtocolViolation(f"P-DATA-TF of {length} bytes", INVALID_PARAMETER)
        stream.start += 6
        self._pdu_left = length
        return None

    def _control_pdu(self, kind: int, length: int, unread: int) -> _Parsed:
        if kind not in _CONTROL_PDUS:
            raise ProtocolViolation(f"unknown PDU type 0x{kind:02X}", UNRECOGNIZED_PDU)
        if kind == 1:
            length = 0
        if length > _CONTROL_PDUS[kind]:
            raise ProtocolViolation(
                f"PDU of type 0x{kind:02X} with {length} bytes", INVALID_PARAMETER
            )
        self._needed = 6 + length
        if unread < self._needed:
            return _Parsed.NEEDS_MORE
        stream = self._stream
        self._pdu = kind, bytes(stream.view[stream.start : stream.start + self._needed])
        stream.start += self._needed
        self._needed = 0
        return _Parsed.PDU

    def _begin_fragment(self) -> bool:
        """Read a PDV's header; whether the PDV is without content."""
        stream = self._stream
        if self._pdu_left < 6:
            raise ProtocolViolation("PDU ends within a PDV header", INVALID_PARAMETER)
        length, context_id, control = PDV_HEADER.unpack_from(stream.buffer, stream.start)
        stream.start += 6
        self._pdu_left -= 6
        if not 0 <= length - 2 <= self._pdu_left:
            raise ProtocolViolation("PDV longer than its PDU", INVALID_PARAMETER)
        self._pdv_left = length - 2
        self._control = control
        if bool(control & _COMMAND) != (self._target is None):
            expected = "command" if self._target is None else "data set"
            raise ProtocolViolation(f"fragment is no {expected} fragment", UNEXPECTED_PARAMETER)
        if self._context_id is None:
            self._context_id = context_id
        elif context_id != self._context_id:
            raise ProtocolViolation("message in two contexts", UNEXPECTED_PARAMETER)
        if self._pdv_left == 0:
            self._empty_fragments += 1
            if self._empty_fragments > EMPTY_FRAGMENTS_MAXIMUM:
                raise ProtocolViolation("endless empty fragments", INVALID_PARAMETER)
            return True
        return False

    def _take(self, count: int) -> None:
        stream = self._stream
        fragment = stream.view[stream.start : stream.start + count]
        stream.start += count
        self._pdu_left -= count
        self._pdv_left -= count
        if self._target is not None:
            self._views.append(fragment)
        elif len(self._command) + count > self.command_set_maximum:
            raise ProtocolViolation("endless command set", INVALID_PARAMETER)
        else:
            self._command += fragment

    def _end_fragment(self) -> bool:
        """Whether the message is whole."""
        if not self._control & _LAST:
            return False
        if self._target is not None:
            return True
        assert self._context_id is not None
        self._target = self._receiver.begin(self._context_id, bytes(self._command))
        self._command.clear()
        return self._target is None

    def _flush(self) -> None:
        if self._views:
            views, self._views = self._views, []
            assert self._target is not None
            self._target.write(views)

    def _end_message(self) -> None:
        self._flush()
        target, self._target = self._target, None
        self._context_id = None
        self._empty_fragments = 0
        if target is not None:
            target.complete()
