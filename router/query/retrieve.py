"""C-MOVE and C-GET through the router: upstreams send to us, the chain runs, we send on."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from router.query.counting import Announced, Tally
from router.query.failures import failed_list, named_in
from router.query.sending import Forwarder
from router.query.upstream import AFTER_CANCEL, Asker, Channel, Failed
from router.status import SUCCESS, Verdict, classify
from router.wire import QueryResponse, SubOperations

if TYPE_CHECKING:
    from router.query.asking import Asking
    from router.query.entry import Entry
    from router.query.sending import Outgoing
    from router.query.sharing import Share, Sharing
    from router.spool import Ledger, Retrieve, RetrieveState
    from router.wire import Exchange

log = logging.getLogger("router.query")

PENDING, CANCELLED = 0xFF00, 0xFE00
UNABLE, SOME_FAILED = 0xA702, 0xB000
PENDING_EVERY = 5.0  # seconds; requestors give up on those who say nothing
_LOOK_EVERY = 0.5  # seconds between two looks at what the chain has made
_COUNT_EVERY = 0.1  # seconds between two looks at what was sent
_CHAIN_TAKES = 60.0  # seconds without any progress, once the upstreams are done


class Retrieval:
    """One retrieve; `run` answers it, in the requestor's thread.

    The counts are of what was delivered to the requestor, whatever upstreams say: those only tell
    how much there is.
    """

    def __init__(
        self,
        entry: Entry,
        ledger: Ledger,
        retrieve: Retrieve,
        outgoing: Outgoing,
        tally: Tally,
        exchange: Exchange,
        sharing: Sharing,
        *,
        inline: bool,
    ) -> None:
        self._entry = entry
        self._ledger = ledger
        self._retrieve = retrieve
        self._outgoing = outgoing
        self._tally = tally
        self._exchange = exchange
        self._sharing = sharing
        self._forwarder = None if inline else Forwarder(outgoing, self._all_sent)
        self._channel = Channel(exchange.wake, only_last=True)
        self._announced = Announced()
        self._shares: list[Share] = []
        self._askers: list[Asker] = []
        self._finals: dict[int, QueryResponse | Failed] = {}
        self._state: RetrieveState | None = None
        self._looked = self._moved = time.monotonic()
        self._said = self._moved - _COUNT_EVERY
        self._counts = SubOperations(0, 0, 0, 0)
        self._marks = (0, 0, 0)

    def wake(self) -> None:
        """From any thread: there is something to send, in transit."""
        if self._forwarder is not None:
            self._forwarder.wake()
        else:
            self._exchange.wake()

    def look(self) -> None:
        """From any thread: the ledger has something to send."""
        self._outgoing.look()
        self.wake()

    def _all_sent(self) -> None:
        """From the forwarder: everything is sent that there is, for now."""
        if len(self._finals) == len(self._askers):
            self._exchange.wake()

    def run(self, asking: Asking, syntax: str) -> QueryResponse:
        """The last response, in the requestor's transfer syntax."""
        self._asking, self._syntax = asking, syntax
        asking.touched = lambda index: self._askers[index].touch()
        if self._forwarder is not None:
            self._forwarder.start()
        self._ask(self._sharing.first)
        try:
            return self._attend()
        finally:
            self._channel.close()
            for index, asker in enumerate(self._askers):
                if index not in self._finals:
                    asker.interrupt()
            if self._forwarder is None:
                self._outgoing.close()
            else:
                self._forwarder.stop()

    def _ask(self, shares: list[Share]) -> None:
        for share in shares:
            index, ask = len(self._askers), self._asking.of(len(self._askers), share)
            asker = Asker(index, share.who, self._channel, ask, self._entry.deadline)
            self._shares.append(share)
            self._askers.append(asker)
            asker.start()

    def _attend(self) -> QueryResponse:
        cancelled, given_up_at = False, math.inf
        while time.monotonic() < given_up_at:
            for index, response in self._channel.take():
                self._take(index, response)
            if self._exchange.is_over:
                self._cancel()
                return QueryResponse(CANCELLED)
            if self._exchange.is_cancelled or self._outgoing.unreachable:
                if not cancelled:
                    cancelled, given_up_at = True, time.monotonic() + 2 * AFTER_CANCEL
                    self._cancel()
                if len(self._finals) == len(self._askers) and (
                    self._exchange.is_cancelled or self._is_settled()
                ):
                    break
            elif self._is_done():
                break
            self._say()
            sent = False
            if self._forwarder is None and not cancelled:
                sent = self._outgoing.step(lambda: self._exchange.is_cancelled, self._say)
            if not sent:
                self._exchange.wait(self._patience())
            self._note_progress()
        return self._conclude()

    def _cancel(self) -> None:
        for asker in self._askers:
            asker.cancel()
        if self._forwarder is not None and self._outgoing.unreachable is None:
            self._forwarder.stop()

    def _patience(self) -> float:
        until_said = self._said + PENDING_EVERY - time.monotonic()
        return max(min(until_said, _COUNT_EVERY), 0.01)

    def _take(self, index: int, response: QueryResponse | Failed) -> None:
        if isinstance(response, Failed):
            self._finals[index] = response
            return
        self._announced.note(index, response)
        if response.is_last:
            self._finals[index] = response
            self._announced.named |= named_in(response, self._asking.syntaxes.get(index, ""))
            if self._shares[index].is_listed:
                self._announced.listed |= self._shares[index].instances

    def _note_progress(self) -> None:
        """Arrivals show that upstreams are at work, though they may say nothing."""
        marks = (self._retrieve.arrivals, self._tally.settled, len(self._finals))
        if marks != self._marks:
            if marks[0] != self._marks[0]:
                for asker in self._askers:
                    asker.touch()
            self._marks, self._moved = marks, time.monotonic()

    def _is_done(self) -> bool:
        if len(self._finals) < len(self._askers):
            return False
        quiet = time.monotonic() - self._moved
        if self._retrieve.arrivals < self._announced.sent and quiet < self._entry.deadline:
            return False  # some answer first and send then
        more = self._sharing.next(self._retrieve.taken)
        if more is not None:
            self._ask(more)
            return False
        return self._is_settled() or quiet > self._entry.deadline + _CHAIN_TAKES

    def _is_settled(self) -> bool:
        """Everything that arrived was delivered, or will not be."""
        arrived = len(self._retrieve.taken)
        if self._tally.settled >= arrived:
            return True
        if not self._entry.has_chain and time.monotonic() - self._moved < _LOOK_EVERY:
            return False  # it is on its way
        state = self._look()
        return self._tally.settled + len(state.skipped) + len(self._lost(state)) >= arrived

    def _look(self) -> RetrieveState:
        now = time.monotonic()
        if self._state is None or now - self._looked >= _LOOK_EVERY:
            self._state, self._looked = self._ledger.retrieve_state(self._retrieve), now
        return self._state

    def _lost(self, state: RetrieveState) -> set[str]:
        """What failed before it could be sent."""
        with self._tally.lock:
            return state.failed.keys() - self._tally.failed.keys()

    def _counted(self) -> SubOperations:
        tally, arrived = self._tally, len(self._retrieve.taken)
        state = self._look() if self._entry.has_chain and arrived > tally.settled else self._state
        skipped = len(state.skipped) if state else 0
        lost = len(self._lost(state)) if state else 0
        taken, known = self._retrieve.taken, self._sharing.known()
        refused = self._announced.refused(taken, known)
        total = self._announced.extent(taken, self._retrieve.arrivals, known) - skipped
        with tally.lock:
            completed, warning = tally.completed, tally.warning
            failed = len(tally.failed) + lost + refused
        remaining = max(total - completed - warning - failed, 0)
        return SubOperations(remaining, completed, failed, warning)

    def _say(self) -> None:
        """A pending response, when something has changed and now and then."""
        counts = self._counted()
        now = time.monotonic()
        changed = counts != self._counts and now - self._said >= _COUNT_EVERY
        if changed or now - self._said >= PENDING_EVERY:
            self._counts, self._said = counts, now
            self._exchange.send(QueryResponse(PENDING, counts=counts))

    def _conclude(self) -> QueryResponse:
        if self._exchange.is_cancelled and self._forwarder is not None:
            self._forwarder.stop()
            self._forwarder.join(AFTER_CANCEL)  # what it is sending counts
        if len(self._retrieve.taken) > self._tally.settled:
            self._state = self._ledger.retrieve_state(self._retrieve)
        counts = self._counted()
        failed = self._failed_uids()
        identifier = failed_list(failed, self._syntax) if failed else None
        if self._exchange.is_cancelled:
            return QueryResponse(CANCELLED, "", identifier, counts)
        remaining = counts.remaining or 0
        delivered = counts.completed + counts.warning
        known = self._sharing.known()
        broken = self._broken()
        if known is not None and known <= self._retrieve.taken:
            broken = ""  # another archive had it all
        counts = SubOperations(None, counts.completed, counts.failed + remaining, counts.warning)
        if not counts.failed and (not broken or (delivered and self._entry.partial == "succeed")):
            return QueryResponse(SUCCESS, counts=counts)
        status = SOME_FAILED if delivered else UNABLE
        return QueryResponse(status, broken or self._reason(), identifier, counts)

    def _failed_uids(self) -> list[str]:
        """As the requestor knows them."""
        with self._tally.lock:
            found = dict.fromkeys(self._tally.failed)
        original = self._announced.missing(self._retrieve.taken)
        if self._state is not None:
            original |= self._lost(self._state)
        for uid in sorted(original):
            known = self._entry.known_as(uid)
            if known:
                found[known] = None
        return list(found)

    def _broken(self) -> str:
        """What is wrong with upstreams, if they failed as a whole."""
        told = []
        for index, share in enumerate(self._shares):
            who, final = share.who, self._finals.get(index)
            if isinstance(final, Failed):
                told.append(f"{who.name}: {final.reason}")
            elif final is None:
                told.append(f"{who.name}: no answer")
            elif final.status == 0xA801:
                told.append(f"{who.name} does not know {who.move_to} as a destination")
            elif (
                final.status != CANCELLED
                and classify(final.status) in (Verdict.OBJECT_REFUSED, Verdict.DESTINATION_FAILED)
                and not (final.counts and final.counts.total)
            ):
                told.append(f"{who.name} failed (0x{final.status:04X})")
        for each in told:
            log.warning("retrieve.upstream_failed entry=%s %s", self._entry.name, each)
        return "; ".join(told)

    def _reason(self) -> str:
        """Why something failed, in words that name no patient."""
        if self._outgoing.unreachable:
            return self._outgoing.unreachable
        if self._entry.has_chain:
            return "Not everything could be delivered"
        with self._tally.lock:
            own = next(iter(self._tally.failed.values()), "")
        return own or f"{self._announced.failed} could not be sent to the router"
