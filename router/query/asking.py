"""How an upstream is asked for instances: by C-MOVE to us, or by C-GET."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from router.instance import Association
from router.query.conversation import opened
from router.query.sop_classes import sibling
from router.query.storage import contexts_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.query.conversation import Ask, Conversation, Inquiring
    from router.query.identifier import Identifier
    from router.query.sharing import Share
    from router.query.upstream import Upstream
    from router.routing import Generation
    from router.spool import Retrieve
    from router.wire import Ending, Response, StoreRequest, StoreSink


class Receiving(Protocol):
    """What takes the instances that come on an association of ours."""

    def store(self, request: StoreRequest) -> StoreSink | Response: ...

    def ended(self, how: Ending) -> None: ...


if TYPE_CHECKING:
    OpenReceiving = Callable[[Association, Generation, Retrieve], Receiving]


class Asking:
    """Asks upstreams for what one retrieve wants."""

    def __init__(
        self,
        sop_class_uid: str,
        retrieve: Retrieve,
        next_message_id: Callable[[], int],
        receive: Callable[[Association], Receiving],
        listener: str,
        accepted: Mapping[tuple[str, str], int],
    ) -> None:
        self._sop_class_uid = sop_class_uid
        self._retrieve = retrieve
        self._next_message_id = next_message_id
        self._receive = receive
        self._listener = listener
        self._accepted = accepted
        self.syntaxes: dict[int, str] = {}  # that upstreams answer in
        self.touched: Callable[[int], None] = lambda index: None

    def of(self, index: int, share: Share) -> Ask:
        """What an Asker does first."""
        ask = self._move if share.who.retrieve == "move" else self._get
        return lambda: ask(index, share.who, share.identifier)

    def _move(
        self, index: int, who: Upstream, identifier: Identifier
    ) -> tuple[Conversation, Inquiring]:
        sop_class_uid, wanted = sibling(self._sop_class_uid, "move"), identifier.transfer_syntax
        with opened(who, sop_class_uid, wanted) as (association, context_id, syntax):
            self.syntaxes[index] = syntax
            message_id = self._next_message_id()
            # Before it is asked: what it sends may be here before its first response.
            theirs = (who.store_ae_title, who.peer.called_ae_title)
            self._retrieve.expect_from(
                (*theirs, association.address),
                [(title, message_id) for title in (who.peer.calling_ae_title, *theirs)],
            )
            return association, association.query(
                "move",
                context_id,
                identifier.in_syntax(syntax).data,
                move_destination=who.move_to,
                message_id=message_id,
            )

    def _get(
        self, index: int, who: Upstream, identifier: Identifier
    ) -> tuple[Conversation, Inquiring]:
        sop_class_uid, wanted = sibling(self._sop_class_uid, "get"), identifier.transfer_syntax
        stored = contexts_for(self._accepted)
        with opened(who, sop_class_uid, wanted, stored) as (association, context_id, syntax):
            self.syntaxes[index] = syntax
            receiving = self._receive(self._who(who, association.address))

            def store(request: StoreRequest) -> StoreSink | Response:
                self.touched(index)
                return receiving.store(request)

            return association, association.query(
                "get",
                context_id,
                identifier.in_syntax(syntax).data,
                store=store,
                ended=lambda: receiving.ended("released"),
            )

    def _who(self, who: Upstream, address: str) -> Association:
        return Association(
            calling_ae_title=who.peer.called_ae_title,
            called_ae_title=who.peer.calling_ae_title,
            address=address,
            listener=self._listener,
            peer=None,
            tls_subject=None,
            user=None,
            started=datetime.now(UTC),
        )
