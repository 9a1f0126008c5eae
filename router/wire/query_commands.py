"""Command sets of C-FIND, C-GET, C-MOVE and C-CANCEL (PS3.7 9.3.2 to 9.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.wire import command as commands
from router.wire.queries import QueryRequest, QueryResponse, Service, SubOperations

if TYPE_CHECKING:
    from router.wire.command import CommandSet

FIELDS: dict[int, Service] = {0x0020: "find", 0x0010: "get", 0x0021: "move"}
_FIELD_OF = {service: field for field, service in FIELDS.items()}
_MOVE_DESTINATION = 0x0600
_PRIORITY = 0x0700
_COUNTS = (0x1020, 0x1021, 0x1022, 0x1023)


def query_request(
    command: CommandSet, context_id: int, transfer_syntax: str, identifier: bytes
) -> QueryRequest:
    """What a C-FIND-RQ, C-GET-RQ or C-MOVE-RQ asks."""
    return QueryRequest(
        service=FIELDS[command.field],
        message_id=command.message_id,
        context_id=context_id,
        transfer_syntax=transfer_syntax,
        sop_class_uid=command.sop_class_uid,
        priority=command.number(_PRIORITY) or 0,
        identifier=identifier,
        move_destination=command.text(_MOVE_DESTINATION),
    )


def query_response(command: CommandSet, identifier: bytes | None) -> QueryResponse:
    """What a response says; raises `ProtocolViolation` without a Status."""
    said = commands.response(command)
    if command.elements.keys().isdisjoint(_COUNTS):
        return QueryResponse(said.status, said.error_comment, identifier)
    remaining, *others = (command.number(element) for element in _COUNTS)
    counts = SubOperations(remaining, *(number or 0 for number in others))
    return QueryResponse(said.status, said.error_comment, identifier, counts)


def encode_query_request(request: QueryRequest) -> bytes:
    body = [
        commands.text_element(0x0002, request.sop_class_uid, "\0"),
        commands.number_element(0x0100, _FIELD_OF[request.service]),
        commands.number_element(0x0110, request.message_id),
    ]
    if request.service == "move":
        body.append(commands.text_element(_MOVE_DESTINATION, request.move_destination, " "))
    body.append(commands.number_element(_PRIORITY, request.priority))
    body.append(commands.number_element(0x0800, commands.DATA_SET))
    return commands.with_group_length(body)


def encode_query_response(request: QueryRequest, response: QueryResponse) -> bytes:
    has_data_set = response.identifier is not None
    body = [
        commands.text_element(0x0002, request.sop_class_uid, "\0"),
        commands.number_element(0x0100, _FIELD_OF[request.service] | commands.RESPONSE),
        commands.number_element(0x0120, request.message_id),
        commands.number_element(
            0x0800, commands.DATA_SET if has_data_set else commands.NO_DATA_SET
        ),
        commands.number_element(0x0900, response.status),
    ]
    if response.error_comment:
        body.append(commands.comment_element(response.error_comment))
    if response.counts is not None:
        counts = response.counts
        numbers = (counts.remaining, counts.completed, counts.failed, counts.warning)
        body += [
            commands.number_element(element, min(number, 0xFFFF))
            for element, number in zip(_COUNTS, numbers, strict=True)
            if number is not None
        ]
    return commands.with_group_length(body)


def encode_cancel_request(message_id: int) -> bytes:
    return commands.with_group_length(
        [
            commands.number_element(0x0100, commands.C_CANCEL_RQ),
            commands.number_element(0x0120, message_id),
            commands.number_element(0x0800, commands.NO_DATA_SET),
        ]
    )
