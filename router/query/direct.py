"""C-MOVE that upstreams carry out themselves: they send to the requestor, we pass on their word."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from router.query.conversation import opened
from router.query.counting import Announced
from router.query.failures import failed_list, named_in
from router.query.upstream import AFTER_CANCEL, Asker, Channel, Failed
from router.status import SUCCESS
from router.wire import QueryResponse, SubOperations

if TYPE_CHECKING:
    from router.query.conversation import Ask, Conversation, Inquiring
    from router.query.entry import Entry
    from router.query.identifier import Identifier
    from router.query.upstream import Upstream
    from router.wire import Exchange, QueryRequest

_PENDING, _CANCELLED = 0xFF00, 0xFE00
_UNABLE, _SOME_FAILED = 0xA702, 0xB000
_PENDING_EVERY = 5.0  # seconds


class DirectMove:
    """One C-MOVE; `run` answers it, in the requestor's thread."""

    def __init__(
        self, entry: Entry, request: QueryRequest, identifier: Identifier, exchange: Exchange
    ) -> None:
        self._entry = entry
        self._request = request
        self._identifier = identifier
        self._exchange = exchange
        self._channel = Channel(exchange.wake)
        self._announced = Announced()
        self._finals: dict[int, QueryResponse | Failed] = {}
        self._said = time.monotonic()

    def run(self, upstreams: list[Upstream]) -> QueryResponse:
        askers = [
            Asker(index, who, self._channel, self._asking(who), self._entry.deadline)
            for index, who in enumerate(upstreams)
        ]
        for asker in askers:
            asker.start()
        try:
            self._relay(askers)
        finally:
            self._channel.close()
            for index, asker in enumerate(askers):
                if index not in self._finals:
                    asker.interrupt()
        return self._conclude(upstreams)

    def _relay(self, askers: list[Asker]) -> None:
        given_up_at = math.inf
        while len(self._finals) < len(askers) and time.monotonic() < given_up_at:
            if self._exchange.is_over:
                return
            if self._exchange.is_cancelled:
                for asker in askers:
                    asker.cancel()
                given_up_at = min(given_up_at, time.monotonic() + AFTER_CANCEL)
            news = False
            for index, response in self._channel.take():
                if isinstance(response, Failed) or response.is_last:
                    self._finals[index] = response
                if isinstance(response, QueryResponse):
                    self._announced.note(index, response)
                    news = news or not response.is_last
            if news or time.monotonic() - self._said >= _PENDING_EVERY:
                self._said = time.monotonic()
                counts = self._announced.summed or SubOperations(0, 0, 0, 0)
                self._exchange.send(QueryResponse(_PENDING, counts=counts))
            if len(self._finals) < len(askers):
                self._exchange.wait(1.0)

    def _asking(self, who: Upstream) -> Ask:
        def ask() -> tuple[Conversation, Inquiring]:
            request, syntax = self._request, self._identifier.transfer_syntax
            with opened(who, request.sop_class_uid, syntax) as (association, context_id, syntax):
                asked = self._identifier.in_syntax(syntax).data
                return association, association.query(
                    "move", context_id, asked, move_destination=request.move_destination
                )

        return ask

    def _conclude(self, upstreams: list[Upstream]) -> QueryResponse:
        finals = [self._finals.get(index) for index in range(len(upstreams))]
        if len(finals) == 1 and isinstance(finals[0], QueryResponse):
            return finals[0]
        syntax = self._identifier.transfer_syntax
        counts = self._announced.summed or SubOperations(None, 0, 0, 0)
        named = [named_in(each, syntax) for each in finals if isinstance(each, QueryResponse)]
        uids = sorted(frozenset().union(*named))
        identifier = failed_list(uids, syntax) if uids else None
        if self._exchange.is_cancelled:
            return QueryResponse(_CANCELLED, "", identifier, counts)
        counts = SubOperations(None, counts.completed, counts.failed, counts.warning)
        told = [
            f"{who.name}: {final.reason if isinstance(final, Failed) else 'failed'}"
            for who, final in zip(upstreams, finals, strict=True)
            if not isinstance(final, QueryResponse) or final.status != SUCCESS
        ]
        moved = counts.completed + counts.warning
        if not told or (moved and not counts.failed and self._entry.partial == "succeed"):
            return QueryResponse(SUCCESS, counts=counts)
        status = _SOME_FAILED if moved else _UNABLE
        return QueryResponse(status, "; ".join(told), identifier, counts)
