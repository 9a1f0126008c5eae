"""C-MOVE that upstreams carry out themselves: they send to the requestor, we pass on their word."""

from __future__ import annotations

import math
import time
from dataclasses import replace
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
    from router.query.sharing import Share, Sharing
    from router.wire import Exchange, QueryRequest

_PENDING, _CANCELLED = 0xFF00, 0xFE00
_UNABLE, _SOME_FAILED = 0xA702, 0xB000
_PENDING_EVERY = 5.0  # seconds


class DirectMove:
    """One C-MOVE; `run` answers it, in the requestor's thread."""

    def __init__(
        self, entry: Entry, request: QueryRequest, sharing: Sharing, exchange: Exchange
    ) -> None:
        self._entry = entry
        self._request = request
        self._sharing = sharing
        self._exchange = exchange
        self._channel = Channel(exchange.wake)
        self._announced = Announced()
        self._shares: list[Share] = []
        self._askers: list[Asker] = []
        self._finals: dict[int, QueryResponse | Failed] = {}
        self._named: dict[int, set[str]] = {}  # what each says that it could not send
        self._syntaxes: dict[int, str] = {}  # that they say it in
        self._said = time.monotonic()

    def run(self) -> QueryResponse:
        self._ask(self._sharing.first)
        try:
            self._relay()
        finally:
            self._channel.close()
            for index, asker in enumerate(self._askers):
                if index not in self._finals:
                    asker.interrupt()
        return self._conclude()

    def _ask(self, shares: list[Share]) -> None:
        for share in shares:
            index = len(self._askers)
            ask = self._asking(index, share)
            asker = Asker(index, share.who, self._channel, ask, self._entry.deadline)
            self._shares.append(share)
            self._askers.append(asker)
            asker.start()

    def _relay(self) -> None:
        given_up_at = math.inf
        while time.monotonic() < given_up_at:
            if self._exchange.is_over:
                return
            if self._exchange.is_cancelled:
                for asker in self._askers:
                    asker.cancel()
                given_up_at = min(given_up_at, time.monotonic() + AFTER_CANCEL)
            news = self._take()
            if len(self._finals) == len(self._askers):
                more = None if self._exchange.is_cancelled else self._sharing.next(self._moved())
                if more is None:
                    return
                self._ask(more)
            if news or time.monotonic() - self._said >= _PENDING_EVERY:
                self._said = time.monotonic()
                counts = self._announced.summed or SubOperations(0, 0, 0, 0)
                self._exchange.send(QueryResponse(_PENDING, counts=counts))
            self._exchange.wait(1.0)

    def _take(self) -> bool:
        """What upstreams have said meanwhile; whether that is to be passed on."""
        news = False
        for index, response in self._channel.take():
            if isinstance(response, Failed) or response.is_last:
                self._finals[index] = response
            if isinstance(response, QueryResponse):
                self._announced.note(index, response)
                self._named[index] = named_in(response, self._syntaxes.get(index, ""))
                self._announced.named |= self._named[index]
                news = news or not response.is_last
        return news

    def _moved(self) -> set[str]:
        """What has reached the requestor, as far as upstreams say exactly what."""
        moved: set[str] = set()
        for index, share in enumerate(self._shares):
            final = self._finals.get(index)
            if isinstance(final, QueryResponse) and final.counts is not None:
                failed, counts = self._named[index], final.counts
                if len(failed) == counts.failed and counts.completed + counts.warning:
                    moved |= self._sharing.asked_for(share) - failed
        return moved

    def _asking(self, index: int, share: Share) -> Ask:
        def ask() -> tuple[Conversation, Inquiring]:
            request, wanted = self._request, share.identifier.transfer_syntax
            with opened(share.who, request.sop_class_uid, wanted) as (association, context, syntax):
                self._syntaxes[index] = syntax
                asked = share.identifier.in_syntax(syntax).data
                return association, association.query(
                    "move", context, asked, move_destination=request.move_destination
                )

        return ask

    def _conclude(self) -> QueryResponse:
        finals = [self._finals.get(index) for index in range(len(self._shares))]
        moved, known = self._moved(), self._sharing.known()
        failed = self._announced.missing(moved)
        syntax = self._request.transfer_syntax
        identifier = failed_list(sorted(failed), syntax) if failed else None
        if len(finals) == 1 and isinstance(finals[0], QueryResponse):
            return replace(finals[0], identifier=identifier)
        counts = self._announced.summed or SubOperations(None, 0, 0, 0)
        if self._exchange.is_cancelled:
            return QueryResponse(_CANCELLED, "", identifier, counts)
        refused = self._announced.refused(moved, known)
        counts = SubOperations(None, counts.completed, refused, counts.warning)
        told = [
            f"{share.who.name}: {final.reason if isinstance(final, Failed) else 'failed'}"
            for share, final in zip(self._shares, finals, strict=True)
            if not isinstance(final, QueryResponse) or final.status != SUCCESS
        ]
        some = bool(counts.completed + counts.warning)
        is_all = known is not None and known <= moved
        if not refused and (not told or is_all or (some and self._entry.partial == "succeed")):
            return QueryResponse(SUCCESS, counts=counts)
        status = _SOME_FAILED if some else _UNABLE
        return QueryResponse(status, "; ".join(told), identifier, counts)
