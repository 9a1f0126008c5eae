"""Associations we are asked for: negotiation with a `Session`, then its messages until the end."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any, cast

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from router import status
from router.wire import command as commands
from router.wire.association import Association
from router.wire.errors import AssociationAborted, ConnectionLost, PeerTimeout
from router.wire.service import (
    AssociationRequest,
    ContextOffer,
    Rejection,
    Response,
    StoreRequest,
)
from router.wire.tolerance import stripped_titles

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from router.wire.command import CommandSet
    from router.wire.limits import AcceptorLimits
    from router.wire.pdv import Target
    from router.wire.service import Ending, Service, Session, StoreSink

log = logging.getLogger("router.wire")

UNRECOGNIZED_OPERATION = 0x0211
_ECHOED = slice(10, 74)  # returned in the A-ASSOCIATE-AC as received (PS3.8 table 9-17)
_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
_FAILED_SERVICE = Rejection(2, 1, 1, "the service failed")
_IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"


class ServedAssociation(Association):
    """The acceptor's side of an association; `serve` is its life."""

    def __init__(
        self, connection: socket.socket, address: tuple[str, int], limits: AcceptorLimits
    ) -> None:
        super().__init__(
            connection,
            MODE_ACCEPTOR,
            artim=limits.artim,
            pace=limits.pace,
            maximum_pdu=limits.maximum_pdu,
        )
        self._address = address
        self._idle = limits.idle
        self._session: Session | None = None
        self.dul.event_queue.put("Evt5")

    def serve(self, request_pdu: bytes, service: Service) -> None:
        """Negotiate, serve messages, and return when the connection is closed."""
        how: Ending = "aborted"
        try:
            self.dul.start()
            if self._negotiate(request_pdu, service):
                how = self._serve_messages()
        finally:
            self.dul.reader.abandon()
            self._log_failure()
            if self._session is not None:
                self._told(self._session.ended, how)
            self.kill()

    def _negotiate(self, request_pdu: bytes, service: Service) -> bool:
        self.dul.titles = request_pdu[_ECHOED]
        # At once: the state machine wants it when the connection is lost, too.
        self.requestor.address_info = AddressInformation.from_tuple(self._address)
        self.dul.take_pdu(1, request_pdu)
        primitive = self.dul.receive_pdu()
        if primitive is None:  # undecodable, or another protocol version: already answered
            return False
        self.requestor.primitive = primitive
        answer = self._ask_service(service, self._request(request_pdu))
        if isinstance(answer, Rejection):
            log.info(
                "association.rejected address=%s result=%d source=%d reason=%d why=%r",
                *(self._address[0], answer.result, answer.source, answer.reason, answer.text),
            )
            self.acse.send_reject(answer.result, answer.source, answer.reason)
            return False
        self._accepted_cx = {cast("int", cx.context_id): cx for cx in answer if cx.result == 0}
        self._rejected_cx = [cx for cx in answer if cx.result != 0]
        self.acse.send_accept()
        self.is_established = self.dul.usable
        return self.is_established

    def _request(self, request_pdu: bytes) -> AssociationRequest:
        user = self.requestor
        called, calling = stripped_titles(request_pdu)
        proposed = user.primitive.presentation_context_definition_list if user.primitive else []
        return AssociationRequest(
            calling_ae_title=calling,
            called_ae_title=called,
            address=self._address[0],
            port=self._address[1],
            contexts=tuple(
                ContextOffer(
                    cast("int", context.context_id),
                    str(context.abstract_syntax or ""),
                    tuple(map(str, context.transfer_syntax)),
                )
                for context in proposed
            ),
            implementation_class_uid=str(user.implementation_class_uid or ""),
            implementation_version_name=user.implementation_version_name or "",
            maximum_pdu=self.peer_maximum_pdu,
        )

    def _ask_service(
        self, service: Service, request: AssociationRequest
    ) -> Rejection | list[PresentationContext]:
        try:
            session = service.open(request)
            if isinstance(session, Rejection):
                return session
            self._session = session
            return [_answered(offer, session) for offer in request.contexts]
        except Exception as error:
            log.error("association.service_failed error=%s", where(error))
            return _FAILED_SERVICE

    def _serve_messages(self) -> Ending:
        while True:
            arrived = self.dul.pump(self._idle)
            while self.dimse.msg_queue.queue:
                self._serve_other(*self.dimse.get_msg())
            if not self.dul.usable:
                return _ending(self.dul.failure)
            if self.dul.to_user_queue.queue and self.acse.is_release_requested():
                self.acse.send_release(is_response=True)
                self.is_established = False
                return "released"
            if not arrived:
                self.dul.end(PeerTimeout(f"nothing from the peer for {self._idle:g} s"))
                return "timeout"

    def _serve_other(self, context_id: int, message: Any) -> None:  # noqa: ANN401
        """A request of another service, as pynetdicom's primitive: we know none yet."""
        if message is None or not message.is_valid_request:  # None: pynetdicom's word for the end
            return
        answer = type(message)()
        answer.MessageIDBeingRespondedTo = message.MessageID
        answer.AffectedSOPClassUID = getattr(message, "AffectedSOPClassUID", None) or getattr(
            message, "RequestedSOPClassUID", None
        )
        answer.Status = UNRECOGNIZED_OPERATION
        self.dimse.send_msg(answer, context_id)

    def begin_message(self, context_id: int, command: CommandSet, encoded: bytes) -> Target | None:
        if command.field != commands.C_STORE_RQ:
            return super().begin_message(context_id, command, encoded)
        transfer_syntax = str(self._accepted_cx[context_id].transfer_syntax[0])
        request = commands.store_request(command, context_id, transfer_syntax)
        if not command.has_data_set:
            self._answer(context_id, command, _failure("no data set"))
            return None
        return IncomingStore(self, command, request, self._open_sink(request))

    def _open_sink(self, request: StoreRequest) -> StoreSink | Response:
        assert self._session is not None
        if not request.sop_class_uid or not request.sop_instance_uid:
            return _failure("Affected SOP Class or Instance UID is missing")
        try:
            return self._session.store(request)
        except Exception as error:
            log.error("store.failed error=%s", where(error))
            return _failure("the router failed")

    def _answer(self, context_id: int, command: CommandSet, response: Response) -> None:
        self.send_message(context_id, commands.encode_response(command, response))

    def _told(self, notification: Any, *arguments: Any) -> None:  # noqa: ANN401
        try:
            notification(*arguments)
        except Exception as error:
            log.error("association.service_failed error=%s", where(error))

    def _log_failure(self) -> None:
        if self.dul.failure is not None:
            log.info(
                "association.failed address=%s why=%r", self._address[0], str(self.dul.failure)
            )


class IncomingStore:
    """One C-STORE-RQ's data set on its way into a sink."""

    def __init__(
        self,
        association: ServedAssociation,
        command: CommandSet,
        request: StoreRequest,
        sink: StoreSink | Response,
    ) -> None:
        self._association = association
        self._command = command
        self._context_id = request.context_id
        self._sink = sink

    def write(self, fragments: Sequence[memoryview]) -> None:
        if isinstance(self._sink, Response):
            return
        try:
            self._sink.write(fragments)
        except Exception as error:
            log.error("store.failed error=%s", where(error))
            self.abandon()

    def complete(self) -> None:
        sink, self._sink = self._sink, _failure("the router failed")
        if isinstance(sink, Response):
            response = sink
        else:
            try:
                response = sink.finish()
            except Exception as error:
                log.error("store.failed error=%s", where(error))
                response = self._sink
        self._association._answer(self._context_id, self._command, response)

    def abandon(self) -> None:
        sink, self._sink = self._sink, _failure("the router failed")
        if not isinstance(sink, Response):
            self._association._told(sink.abandon)


def _answered(offer: ContextOffer, session: Session) -> PresentationContext:
    """The presentation context of the A-ASSOCIATE-AC."""
    context = PresentationContext()
    context.context_id = offer.context_id
    if not offer.abstract_syntax or not offer.transfer_syntaxes:
        context.result = _ABSTRACT_SYNTAX_NOT_SUPPORTED
        context.add_transfer_syntax(_IMPLICIT_VR_LITTLE_ENDIAN)  # pynetdicom wants one
        return context
    context.abstract_syntax = offer.abstract_syntax
    answer = session.answer(offer)
    if isinstance(answer, int):
        context.result = answer
        context.add_transfer_syntax(offer.transfer_syntaxes[0])  # not significant
    elif answer in offer.transfer_syntaxes:
        context.result = 0
        context.add_transfer_syntax(answer)
    else:
        raise ValueError("accepted a transfer syntax that was not offered")
    return context


def _failure(why: str) -> Response:
    return Response(status.PROCESSING_FAILURE, why)


def _ending(failure: Exception | None) -> Ending:
    match failure:
        case PeerTimeout():
            return "timeout"
        case ConnectionLost():
            return "lost"
        case AssociationAborted() | _:
            return "aborted"


def where(error: BaseException) -> str:
    """Type, file and line: the text of an exception may quote the data set."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
