"""Command sets: the elements of any, and C-STORE and C-ECHO ones written by hand.

A command set is Implicit VR Little Endian (PS3.7 6.3.1); pydicom takes 250 to 550 microseconds
over each, which would be half the cost of a small instance.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from router.wire.errors import ProtocolViolation
from router.wire.service import Response, StoreRequest

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000  # the bit of a Command Field

_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_RESPONDED_MESSAGE_ID = 0x0120
_PRIORITY = 0x0700
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_MOVE_ORIGINATOR_AE_TITLE = 0x1030
_MOVE_ORIGINATOR_MESSAGE_ID = 0x1031

NO_DATA_SET = 0x0101
DATA_SET = 0x0001
_INVALID_PARAMETER = 6  # A-ABORT reason, PS3.8 table 9-26
_ELEMENT = struct.Struct("<HHL")
_NUMBER = struct.Struct("<HHLH")
_GROUP_LENGTH = struct.Struct("<HHLL")
_US = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class CommandSet:
    """The elements of a command set by element number (their group is 0000), values as sent."""

    elements: dict[int, bytes]

    @property
    def field(self) -> int:
        return self._required(_COMMAND_FIELD)

    @property
    def message_id(self) -> int:
        return self._required(_MESSAGE_ID)

    @property
    def responded_message_id(self) -> int:
        return self._required(_RESPONDED_MESSAGE_ID)

    @property
    def has_data_set(self) -> bool:
        return self._required(_DATA_SET_TYPE) != NO_DATA_SET

    @property
    def sop_class_uid(self) -> str:
        return self.text(_AFFECTED_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str:
        return self.text(_AFFECTED_SOP_INSTANCE_UID)

    def text(self, element: int) -> str:
        """The value without its padding, "" if absent; any byte is some character."""
        return self.elements.get(element, b"").decode("latin-1").strip("\0 ")

    def number(self, element: int) -> int | None:
        value = self.elements.get(element, b"")
        return _US.unpack(value)[0] if len(value) == 2 else None

    def _required(self, element: int) -> int:
        number = self.number(element)
        if number is None:
            raise ProtocolViolation(
                f"command set without a valid (0000,{element:04X})", _INVALID_PARAMETER
            )
        return number


def decode(encoded: bytes | bytearray) -> CommandSet:
    """Raises `ProtocolViolation` on what is no command set."""
    elements: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at < end:
        if at + 8 > end:
            raise ProtocolViolation("command set ends within an element", _INVALID_PARAMETER)
        group, element, length = _ELEMENT.unpack_from(encoded, at)
        at += 8
        if group or at + length > end:
            raise ProtocolViolation("malformed command set", _INVALID_PARAMETER)
        elements[element] = bytes(encoded[at : at + length])
        at += length
    return CommandSet(elements)


def store_request(command: CommandSet, context_id: int, transfer_syntax: str) -> StoreRequest:
    """What a C-STORE-RQ asks; the UIDs are "" where it does not say."""
    originator = command.text(_MOVE_ORIGINATOR_AE_TITLE)
    originator_id = command.number(_MOVE_ORIGINATOR_MESSAGE_ID)
    return StoreRequest(
        message_id=command.message_id,
        context_id=context_id,
        transfer_syntax=transfer_syntax,
        sop_class_uid=command.sop_class_uid,
        sop_instance_uid=command.sop_instance_uid,
        priority=command.number(_PRIORITY) or 0,
        move_originator=(originator, originator_id or 0) if originator else None,
    )


def response(command: CommandSet) -> Response:
    """The Status and Error Comment of a response; raises `ProtocolViolation` without a Status."""
    status = command.number(_STATUS)
    if status is None:
        raise ProtocolViolation("response without a Status", _INVALID_PARAMETER)
    return Response(status, command.text(_ERROR_COMMENT))


def encode_store_request(
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    priority: int,
    move_originator: tuple[str, int] | None,
) -> bytes:
    body = [
        text_element(_AFFECTED_SOP_CLASS_UID, sop_class_uid, "\0"),
        number_element(_COMMAND_FIELD, C_STORE_RQ),
        number_element(_MESSAGE_ID, message_id),
        number_element(_PRIORITY, priority),
        number_element(_DATA_SET_TYPE, DATA_SET),
        text_element(_AFFECTED_SOP_INSTANCE_UID, sop_instance_uid, "\0"),
    ]
    if move_originator is not None:
        body.append(text_element(_MOVE_ORIGINATOR_AE_TITLE, move_originator[0], " "))
        body.append(number_element(_MOVE_ORIGINATOR_MESSAGE_ID, move_originator[1]))
    return with_group_length(body)


def encode_echo_request(message_id: int, sop_class_uid: str) -> bytes:
    return with_group_length(
        [
            text_element(_AFFECTED_SOP_CLASS_UID, sop_class_uid, "\0"),
            number_element(_COMMAND_FIELD, C_ECHO_RQ),
            number_element(_MESSAGE_ID, message_id),
            number_element(_DATA_SET_TYPE, NO_DATA_SET),
        ]
    )


def encode_response(request: CommandSet, answer: Response) -> bytes:
    """The response to a C-STORE-RQ or C-ECHO-RQ, its Affected SOP UIDs echoed."""
    body = [_echoed(request, _AFFECTED_SOP_CLASS_UID)]
    body.append(number_element(_COMMAND_FIELD, request.field | RESPONSE))
    body.append(number_element(_RESPONDED_MESSAGE_ID, request.message_id))
    body.append(number_element(_DATA_SET_TYPE, NO_DATA_SET))
    body.append(number_element(_STATUS, answer.status))
    if answer.error_comment:
        body.append(comment_element(answer.error_comment))
    body.append(_echoed(request, _AFFECTED_SOP_INSTANCE_UID))
    return with_group_length(body)


def comment_element(text: str) -> bytes:
    """An Error Comment, an LO: 64 characters of the default repertoire, no backslash."""
    plain = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text[:64])
    return text_element(_ERROR_COMMENT, plain, " ")


def _echoed(request: CommandSet, element: int) -> bytes:
    value = request.elements.get(element)
    return b"" if value is None else _ELEMENT.pack(0, element, len(value)) + value


def text_element(element: int, value: str, padding: str) -> bytes:
    encoded = value.encode("latin-1", "replace")
    if len(encoded) % 2:
        encoded += padding.encode()
    return _ELEMENT.pack(0, element, len(encoded)) + encoded


def number_element(element: int, value: int) -> bytes:
    return _NUMBER.pack(0, element, 2, value)


def with_group_length(body: list[bytes]) -> bytes:
    joined = b"".join(body)
    return _GROUP_LENGTH.pack(0, 0, 4, len(joined)) + joined
