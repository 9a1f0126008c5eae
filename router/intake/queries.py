"""What a listener needs of whoever answers queries and retrieves; intake knows no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.wire import Exchange, QueryRequest, QueryResponse


class Queries(Protocol):
    """What answers one association's queries and retrieves; the node brings it."""

    def answers(self, abstract_syntax: str) -> bool | None:
        """Whether this association may use it; None for what is no query or retrieve."""

    def retrieves(self) -> bool:
        """Whether this association may be sent instances on itself (C-GET)."""

    def extended(self, sop_class_uid: str, asked: bytes) -> bytes | None:
        """See `router.wire.Session`."""

    def query(self, request: QueryRequest, exchange: Exchange) -> QueryResponse:
        """See `router.wire.Session`."""
