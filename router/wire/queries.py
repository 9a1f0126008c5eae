"""C-FIND, C-GET and C-MOVE as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Service = Literal["find", "get", "move"]


@dataclass(frozen=True)
class QueryRequest:
    """A request with its Identifier as sent, in the transfer syntax of its context.

    `move_destination` is "" but in a C-MOVE-RQ.
    """

    service: Service
    message_id: int
    context_id: int
    transfer_syntax: str
    sop_class_uid: str
    priority: int
    identifier: bytes
    move_destination: str = ""


@dataclass(frozen=True)
class SubOperations:
    """How far a retrieve is; `remaining` is None in a response that must not have it."""

    remaining: int | None
    completed: int
    failed: int
    warning: int

    @property
    def total(self) -> int:
        return (self.remaining or 0) + self.completed + self.failed + self.warning


@dataclass(frozen=True)
class QueryResponse:
    """A response of either direction; after the last one nothing follows."""

    status: int
    error_comment: str = ""
    identifier: bytes | None = None
    counts: SubOperations | None = None

    @property
    def is_last(self) -> bool:
        """Pending is 0xFF00 and 0xFF01 (PS3.7 C.4); everything else ends the operation."""
        return self.status not in (0xFF00, 0xFF01)
