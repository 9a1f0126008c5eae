"""One association's requests to a listener: instance by instance, each answered when it is safe."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.instance import Instance, Source
from router.intake import contexts, telling
from router.intake.arrivals import make_arrival, which
from router.intake.checks import find_fault, find_invalid_uid
from router.intake.planning import plan
from router.intake.receiver import Received, Receiver
from router.intake.unkept import NO_SPACE, cannot_keep_because
from router.routing import Facts, HookFailed
from router.spool import IntakeRefusal, SpoolError
from router.status import (
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    REFUSED_NOT_AUTHORISED,
    SUCCESS,
    UNRECOGNIZED_OPERATION,
    Verdict,
    classify,
)
from router.wire import QueryResponse, Response, Session

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.intake.admission import Admitted
    from router.intake.queries import Queries
    from router.intake.room import Room
    from router.routing import Generation
    from router.spool import (
        Arrival,
        Expected,
        IncomingFile,
        PlannedCopy,
        Retrieve,
        Spool,
    )
    from router.wire import (
        ContextOffer,
        Ending,
        Exchange,
        QueryRequest,
        StoreRequest,
        StoreSink,
    )

log = logging.getLogger("router.intake")

_NOT_IN_TIME = Response(OUT_OF_RESOURCES, "not delivered in time; it stays queued")
_GOOD = (Verdict.DELIVERED, Verdict.DELIVERED_WITH_WARNING)
_MAY_NOT_STORE = Response(REFUSED_NOT_AUTHORISED, "This peer may not store here")


class StoreSession(Session):
    """One association's C-ECHO and C-STORE; what else it may ask is answered by `queries`."""

    def __init__(
        self,
        admitted: Admitted,
        generation: Generation,
        spool: Spool,
        room: Room,
        queries: Queries | None = None,
        retrieve: Retrieve | None = None,
    ) -> None:
        """`retrieve`: what comes on this association is for that one only (C-GET)."""
        self.association = admitted.association
        self._admitted = admitted
        self._generation = generation
        self._settings = generation.config.listeners[self.association.listener]
        self._chain = generation.listener_chains[self.association.listener]
        self._spool = spool
        self._room = room
        self._queries = queries
        self._retrieve = retrieve
        self._file: IncomingFile | None = None
        self._keep_free = generation.config.spool.keep_free
        self._assumed = generation.routes.character_sets.get(self.association.peer)
        self._names_patients = generation.config.logging.patient_data
        self._accepted = self._refused = 0
        self._answers: dict[str, str | int] = {}  # by abstract syntax
        spool.ledger.association_began(self.association)
        log.info("association.accepted %s", telling.who(self.association))

    def answer(self, offer: ContextOffer) -> str | int:
        answer = self._answer(offer)
        if isinstance(self._answers.get(offer.abstract_syntax, 0), int):  # one syntax is enough
            self._answers[offer.abstract_syntax] = answer
        return answer

    def _answer(self, offer: ContextOffer) -> str | int:
        if offer.abstract_syntax == contexts.VERIFICATION:
            allowed = "echo" in self._admitted.services
            return contexts.answer(offer, "all") if allowed else contexts.USER_REJECTION
        if contexts.is_storage(offer.abstract_syntax):
            allowed = self._admitted.may_store(offer.abstract_syntax) or self.provides(offer)
            wanted = self._settings.transfer_syntaxes
            return contexts.answer(offer, wanted) if allowed else contexts.USER_REJECTION
        return self._answer_query(offer)

    def knows_user(self) -> bool:
        return self.association.user is not None

    def _answer_query(self, offer: ContextOffer) -> str | int:
        allowed = self._queries.answers(offer.abstract_syntax) if self._queries else None
        if allowed is None:
            return contexts.ABSTRACT_SYNTAX_NOT_SUPPORTED
        if not allowed:
            return contexts.USER_REJECTION
        return contexts.answer(offer, contexts.LITTLE_ENDIAN)

    def provides(self, offer: ContextOffer) -> bool:
        is_storage = offer.scp_role and contexts.is_storage(offer.abstract_syntax)
        return is_storage and self._queries is not None and self._queries.retrieves()

    def extended(self, sop_class_uid: str, asked: bytes) -> bytes | None:
        return self._queries.extended(sop_class_uid, asked) if self._queries else None

    def query(self, request: QueryRequest, exchange: Exchange) -> QueryResponse:
        if self._queries is None:
            return QueryResponse(UNRECOGNIZED_OPERATION)
        return self._queries.query(request, exchange)

    def store(self, request: StoreRequest) -> StoreSink | Response:
        if not self._admitted.may_store(
            request.sop_class_uid
        ):  # a context that is there for a C-GET
            return self._refuse(request, _MAY_NOT_STORE)
        if invalid := find_invalid_uid(request):
            return self._refuse(request, invalid)
        if not self._spool.has_room(self._keep_free):
            return self._refuse(request, NO_SPACE)

        def cannot_keep(error: SpoolError) -> Response:
            return self._refuse(request, cannot_keep_because(error))

        who, ledger = self.association.calling_ae_title, self._spool.ledger
        passes = ledger.passes(request.move_originator, self._retrieve)
        try:
            return Receiver(
                self._open_file(), request, who, self._assumed, self._decide, cannot_keep,
                self._settings.limits, passes,
            )  # fmt: skip
        except SpoolError as error:
            return cannot_keep(error)

    def _open_file(self) -> IncomingFile:
        """The association's file, or the next when it is full."""
        if self._file is not None and self._file.is_full:
            self._file.close()
            self._file = None
        if self._file is None:
            self._file = self._spool.incoming()
        return self._file

    def ended(self, how: Ending) -> None:
        self._admitted.left()
        if self._file is not None:
            self._file.close()
        self._spool.ledger.association_ended(self.association)
        self._tell_unanswered()
        log.info(
            "association.ended %s how=%s accepted=%d refused=%d",
            telling.who(self.association), how, self._accepted, self._refused,
        )  # fmt: skip
        if self._retrieve is None:  # which is on an association of our own
            self._chain.association_ended(self.association)

    def _tell_unanswered(self) -> None:
        """Say what was asked for and not agreed on: of its reason the other side hears a number."""
        why = telling.not_agreed(self.association, self._answers)
        if why and not any(isinstance(answer, str) for answer in self._answers.values()):
            self._record_refusal("", 0, f"nothing it asks for is accepted: {why}")

    def _decide(self, received: Received) -> Response:
        """Everything between the last fragment and the answer; Success is said here only."""
        request = received.request
        if self._names_patients:
            telling.arrived(self.association, received)
        fault = find_fault(request, received.scan)
        if fault:
            received.file.discard()
            return self._refuse(request, fault)
        now = datetime.now(UTC)
        refusal = self._ask_plugins(received, now)
        if refusal:
            received.file.discard()
            return self._refuse(request, refusal)
        expected = self._expected(received)
        copies = self._plan(received, now, expected)
        if isinstance(copies, Response):
            received.file.discard()
            self._spool.ledger.not_accepted(expected, request.sop_instance_uid)
            return self._refuse(request, copies)
        try:
            arrival = self._arrival(received, copies, now, expected)
            kept = None
            if not (expected.transit and expected.transit.offer(received.file, arrival)):
                arrival = arrival if arrival.digest else replace(arrival, digest=received.digest())
                kept = self._spool.keep(received.file, arrival, durable=expected.routes)
        except SpoolError as error:
            received.file.discard()  # which keeps it while its row may be on the disk
            self._spool.ledger.not_accepted(expected, request.sop_instance_uid)
            return self._refuse(request, cannot_keep_because(error))
        response = Response(SUCCESS)
        if kept is not None and self._settings.acknowledge != "received":
            response = self._wait(kept)
            if classify(response.status) not in _GOOD:
                return self._refuse(request, response)
        self._accepted += 1
        return response

    def _expected(self, received: Received) -> Expected:
        who, originator = self.association, received.request.move_originator
        senders = (who.calling_ae_title, who.address)
        return self._spool.ledger.expected(which(received), senders, originator, self._retrieve)

    def _plan(
        self, received: Received, now: datetime, expected: Expected
    ) -> tuple[PlannedCopy, ...] | Response:
        """The copies for retrieves and those of routes, or why it is refused."""
        if not expected.routes:
            return expected.copies
        routed = plan(self._generation, self.association, received.scan, now)
        if not routed and not expected.copies and self._settings.unmatched == "refuse":
            comment = f"No route takes it (listener {self.association.listener})"
            return Response(REFUSED_NOT_AUTHORISED, comment)
        allotted = self._room.allot(routed, received.length, self._generation.config)
        return allotted if isinstance(allotted, Response) else expected.copies + allotted

    def _wait(self, kept: Future[int]) -> Response:
        """How processing ended, or what required destinations say; a failure when it takes long."""
        until = time.monotonic() + self._settings.acknowledge_timeout
        destinations = self._generation.config.destinations
        required = [name for name, settings in destinations.items() if settings.required]
        if self._settings.acknowledge == "processed":
            required = []
        try:
            instance = kept.result(max(until - time.monotonic(), 0))
            outcome = self._spool.ledger.outcome(instance, required)
            try:
                found = outcome.result(max(until - time.monotonic(), 0))
            finally:
                outcome.cancel()
        except TimeoutError:
            return _NOT_IN_TIME
        except SpoolError as error:
            return cannot_keep_because(error)
        return Response(found.status, found.comment)

    def _ask_plugins(self, received: Received, now: datetime) -> Response | None:
        if not self._chain.links:
            return None
        source = Source(received.segments(), received.scan)
        instance = Instance(source, association=self.association, route="", received=now)
        try:
            refusal = self._chain.accept_instance(instance, Facts.of(instance))
        except HookFailed as failure:
            return Response(PROCESSING_FAILURE, str(failure))
        return Response(refusal.status, refusal.reason) if refusal else None

    def _arrival(
        self,
        received: Received,
        copies: tuple[PlannedCopy, ...],
        now: datetime,
        expected: Expected,
    ) -> Arrival:
        unwanted = not copies and expected.routes and self._settings.unmatched == "hold"
        return make_arrival(
            received,
            self.association,
            copies,
            now,
            generation=self._generation.number,
            digest=None if expected.transit else received.digest(),
            held="no route applies" if unwanted else None,
            pending=bool(copies) and self._settings.acknowledge != "received",
        )

    def _refuse(self, request: StoreRequest, response: Response) -> Response:
        """Say no so that it is found again: the sender still has the instance, and must send it."""
        self._refused += 1
        telling.refused(self.association, request, response)
        self._record_refusal(request.sop_instance_uid, response.status, response.error_comment)
        return response

    def _record_refusal(self, sop_instance_uid: str, status: int, reason: str) -> None:
        who = self.association
        sender = (who.listener, who.calling_ae_title, who.address)
        refusal = IntakeRefusal(datetime.now(UTC), *sender, sop_instance_uid, status, reason)
        self._spool.ledger.refused(refusal)
