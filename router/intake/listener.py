"""A listener's services to the wire: association by association, instance by instance."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.dataset import FileRange, first, parse_path
from router.instance import Instance, Source
from router.intake import contexts
from router.intake.admission import Admitted, admit
from router.intake.checks import find_fault, find_invalid_uid
from router.intake.planning import plan
from router.intake.receiver import Received, Receiver
from router.intake.room import Room
from router.routing import Facts, HookFailed
from router.spool import Arrival, IntakeRefusal, SpoolError, SpoolFull, Stored
from router.status import (
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    REFUSED_NOT_AUTHORISED,
    SUCCESS,
    Verdict,
    classify,
)
from router.wire import Rejection, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from router.instance import Association
    from router.routing import Generation
    from router.spool import IncomingFile, PlannedCopy, Spool
    from router.wire import AssociationRequest, ContextOffer, Ending, StoreRequest, StoreSink

log = logging.getLogger("router.intake")

_STUDY = parse_path("StudyInstanceUID")
_SERIES = parse_path("SeriesInstanceUID")
_PATIENT_ID = parse_path("PatientID")
_ACCESSION_NUMBER = parse_path("AccessionNumber")
_NOT_IN_TIME = Response(OUT_OF_RESOURCES, "not delivered in time; it stays queued")
_GOOD = (Verdict.DELIVERED, Verdict.DELIVERED_WITH_WARNING)
_NO_SPACE = Response(OUT_OF_RESOURCES, "The router is out of disk space; send again later")
# PS3.8 table 9-21, result and source: for good or for now, by the service user
_REJECTED, _REJECTED_FOR_NOW, _NO_REASON_GIVEN = (1, 1), (2, 1), 1


class Listener:
    """A wire Service. Each association keeps the generation that was current when it began."""

    def __init__(self, name: str, spool: Spool, current: Callable[[], Generation]) -> None:
        self.name = name
        self._spool = spool
        self._current = current
        self._room = Room(spool.ledger)

    def open(self, request: AssociationRequest) -> Rejection | StoreSession:
        generation = self._current()
        admitted = admit(request, self.name, generation.config)
        if isinstance(admitted, Admitted):
            rejected = self._ask_plugins(generation, admitted.association)
            if rejected is None:
                return StoreSession(admitted, generation, self._spool, self._room)
            admitted = rejected
        log.warning(
            "association.rejected listener=%s calling=%s called=%s address=%s reason=%s",
            self.name, request.calling_ae_title, request.called_ae_title, request.address,
            admitted.text,
        )  # fmt: skip
        self._spool.ledger.refused(
            IntakeRefusal(
                datetime.now(UTC),
                self.name,
                request.calling_ae_title,
                request.address,
                "",
                0,
                f"{admitted.text} (called {request.called_ae_title})",
            )
        )
        return admitted

    def _ask_plugins(self, generation: Generation, association: Association) -> Rejection | None:
        try:
            refusal = generation.listener_chains[self.name].accept_association(association)
        except HookFailed as failure:
            return Rejection(*_REJECTED_FOR_NOW, _NO_REASON_GIVEN, str(failure))
        return Rejection(*_REJECTED, _NO_REASON_GIVEN, refusal.reason) if refusal else None


class StoreSession:
    """One association's C-ECHO and C-STORE."""

    def __init__(
        self, admitted: Admitted, generation: Generation, spool: Spool, room: Room
    ) -> None:
        self.association = admitted.association
        self._services = admitted.services
        self._generation = generation
        self._settings = generation.config.listeners[self.association.listener]
        self._chain = generation.listener_chains[self.association.listener]
        self._spool = spool
        self._room = room
        self._file: IncomingFile | None = None
        self._keep_free = generation.config.spool.keep_free
        self._assumed = generation.routes.character_sets.get(self.association.peer)
        self._accepted = self._refused = 0
        log.info("association.accepted %s", _who(self.association))

    def answer(self, offer: ContextOffer) -> str | int:
        if offer.abstract_syntax == contexts.VERIFICATION:
            service = "echo"
        elif contexts.is_storage(offer.abstract_syntax):
            service = "store"
        else:
            return contexts.ABSTRACT_SYNTAX_NOT_SUPPORTED
        if service not in self._services:
            return contexts.USER_REJECTION
        wanted = "all" if service == "echo" else self._settings.transfer_syntaxes
        chosen = contexts.choose_transfer_syntax(offer.transfer_syntaxes, wanted)
        return chosen or contexts.TRANSFER_SYNTAXES_NOT_SUPPORTED

    def store(self, request: StoreRequest) -> StoreSink | Response:
        invalid = find_invalid_uid(request)
        if invalid:
            return self._refuse(request, invalid)
        if not self._spool.has_room(self._keep_free):
            return self._refuse(request, _NO_SPACE)

        def cannot_keep(error: SpoolError) -> Response:
            return self._refuse(request, _spool_refusal(error))

        calling_ae_title = self.association.calling_ae_title
        try:
            file = self._open_file()
            return Receiver(
                file, request, calling_ae_title, self._assumed, self._decide, cannot_keep
            )
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
        if self._file is not None:
            self._file.close()
        log.info(
            "association.ended %s how=%s accepted=%d refused=%d",
            _who(self.association), how, self._accepted, self._refused,
        )  # fmt: skip
        self._chain.association_ended(self.association)

    def _decide(self, received: Received) -> Response:
        """Everything between the last fragment and the answer; Success is said here only."""
        request = received.request
        fault = find_fault(request, received.scan)
        if fault:
            received.file.discard()
            return self._refuse(request, fault)
        now = datetime.now(UTC)
        refusal = self._ask_plugins(received, now)
        if refusal:
            received.file.discard()
            return self._refuse(request, refusal)
        copies = plan(self._generation, self.association, received.scan, now)
        if not copies and self._settings.unmatched == "refuse":
            received.file.discard()
            comment = f"No route takes it (listener {self.association.listener})"
            return self._refuse(request, Response(REFUSED_NOT_AUTHORISED, comment))
        allotted = self._room.allot(copies, received.scan.length, self._generation.config)
        if isinstance(allotted, Response):
            received.file.discard()
            return self._refuse(request, allotted)
        try:
            kept = self._spool.keep(received.file, self._arrival(received, allotted, now))
        except SpoolError as error:
            received.file.discard()  # which keeps it while its row may be on the disk
            return self._refuse(request, _spool_refusal(error))
        if self._settings.acknowledge != "received":
            response = self._wait(kept)
            if classify(response.status) not in _GOOD:
                return self._refuse(request, response)
            self._accepted += 1
            return response
        self._accepted += 1
        return Response(SUCCESS)

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
            return _spool_refusal(error)
        return Response(found.status, found.comment)

    def _ask_plugins(self, received: Received, now: datetime) -> Response | None:
        if not self._chain.links:
            return None
        whole = FileRange(received.file.path, received.offset, received.scan.length)
        source = Source((whole,), received.scan)
        instance = Instance(source, association=self.association, route="", received=now)
        try:
            refusal = self._chain.accept_instance(instance, Facts.of(instance))
        except HookFailed as failure:
            return Response(PROCESSING_FAILURE, str(failure))
        return Response(refusal.status, refusal.reason) if refusal else None

    def _arrival(
        self, received: Received, copies: tuple[PlannedCopy, ...], now: datetime
    ) -> Arrival:
        request, scan = received.request, received.scan
        held = None
        if not copies and self._settings.unmatched == "hold":
            held = "no route applies"
        return Arrival(
            stored=Stored(
                received.file.path, received.offset, scan.length, scan.bulk,
                scan.problem.reason if scan.problem else None,
            ),
            transfer_syntax=request.transfer_syntax,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            study_instance_uid=first(scan, _STUDY),
            series_instance_uid=first(scan, _SERIES),
            patient_id=first(scan, _PATIENT_ID),
            accession_number=first(scan, _ACCESSION_NUMBER),
            sha256=received.sha256,
            association=self.association,
            received=now,
            generation=self._generation.number,
            copies=copies,
            held_reason=held,
            pending=bool(copies) and self._settings.acknowledge != "received",
            move_originator=request.move_originator,
        )  # fmt: skip

    def _refuse(self, request: StoreRequest, response: Response) -> Response:
        """Say no so that it is found again: the sender still has the instance, and must send it."""
        self._refused += 1
        log.warning(
            "instance.refused %s sop_instance=%s status=0x%04X reason=%s",
            _who(self.association), request.sop_instance_uid, response.status,
            response.error_comment,
        )  # fmt: skip
        self._spool.ledger.refused(
            IntakeRefusal(
                datetime.now(UTC),
                self.association.listener,
                self.association.calling_ae_title,
                self.association.address,
                request.sop_instance_uid,
                response.status,
                response.error_comment,
            )
        )
        return response


def _spool_refusal(error: SpoolError) -> Response:
    if isinstance(error, SpoolFull):
        return _NO_SPACE
    log.critical("spool.failed %s", error)
    return Response(OUT_OF_RESOURCES, "The router's storage failed; call its administrator")


def _who(association: Association) -> str:
    return (
        f"listener={association.listener} calling={association.calling_ae_title} "
        f"called={association.called_ae_title} address={association.address}"
    )
