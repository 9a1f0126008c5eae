"""An association with who is asked, or what stands for one where no network is between."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from router.query.identifier import SYNTAXES
from router.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.query.upstream import Upstream
    from router.wire import QueryResponse, Response, StoreRequest, StoreSink


class Inquiring(Protocol):
    """One C-FIND, C-MOVE or C-GET under way, as `router.wire.Inquiry`."""

    def receive(self, timeout: float) -> QueryResponse | None:
        """The next response, None where none came in time (seconds). Raises WireError."""

    def cancel(self) -> None:
        """From any thread: send C-CANCEL."""


class Conversation(Protocol):
    """What is used of a `router.wire.OutgoingAssociation`."""

    @property
    def address(self) -> str:
        """The peer's."""

    def context_for(self, sop_class_uid: str, transfer_syntax: str) -> int | None:
        """The accepted context for exactly this pair."""

    def query(
        self,
        service: Literal["find", "move", "get"],
        context_id: int,
        identifier: bytes,
        *,
        move_destination: str = "",
        message_id: int | None = None,
        store: Callable[[StoreRequest], StoreSink | Response] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Inquiring:
        """Ask; `store` takes what a C-GET brings until `ended` is told. Raises WireError."""

    def release(self) -> None:
        """End it in good order. Never raises."""

    def abort(self) -> None:
        """End it at once. Never raises."""

    def interrupt(self) -> None:
        """From another thread: end what its thread is doing."""


if TYPE_CHECKING:
    Ask = Callable[[], tuple[Conversation, Inquiring]]  # it opens the association and asks


def context_of(
    association: Conversation, sop_class_uid: str, transfer_syntax: str
) -> tuple[int, str]:
    """The context for a SOP class and its transfer syntax; WireError where it was not accepted."""
    for syntax in sorted(SYNTAXES, key=lambda each: each != transfer_syntax):
        found = association.context_for(sop_class_uid, syntax)
        if found is not None:
            return found, syntax
    raise WireError("it does not offer this service")


@contextmanager
def opened(
    who: Upstream,
    sop_class_uid: str,
    transfer_syntax: str,
    stored: Iterable[tuple[str, list[str]]] = (),
) -> Iterator[tuple[Conversation, int, str]]:
    """An association, its context and transfer syntax; what raises inside aborts it, else it stays.

    `stored` as in `Upstream.connect`. Raises WireError.
    """
    association = who.connect(sop_class_uid, transfer_syntax, stored)
    try:
        context_id, syntax = context_of(association, sop_class_uid, transfer_syntax)
        yield association, context_id, syntax
    except BaseException:
        association.abort()
        raise
