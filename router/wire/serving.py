"""Associations we are asked for: negotiation with a `Session`, then its messages until the end."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.transport import AddressInformation

from router.status import UNRECOGNIZED_OPERATION
from router.wire import command as commands
from router.wire.asking import Asking, Unasked
from router.wire.errors import (
    AssociationAborted,
    ConnectionLost,
    PeerTimeout,
    ProtocolViolation,
    WireError,
)
from router.wire.exchange import Exchange
from router.wire.identifier import Identifier
from router.wire.incoming import begin_store, tell, where
from router.wire.negotiating import answer
from router.wire.pdv import UNEXPECTED_PDU
from router.wire.queries import QueryRequest, QueryResponse
from router.wire.query_commands import FIELDS, encode_query_response, query_request
from router.wire.secure import certificate_of
from router.wire.service import AssociationRequest, ContextOffer, Rejection, UserIdentity
from router.wire.tolerance import stripped_titles
from router.wire.window import grant

if TYPE_CHECKING:
    import socket

    from pynetdicom.presentation import PresentationContext

    from router.wire.command import CommandSet
    from router.wire.limits import AcceptorLimits
    from router.wire.pdv import Target
    from router.wire.service import Ending, Service, Session

log = logging.getLogger("router.wire")

_CANCELS_MAXIMUM = 10
_READ_AHEAD = 100  # messages dealt with at a time
_ECHOED = slice(10, 74)  # returned in the A-ASSOCIATE-AC as received (PS3.8 table 9-17)
_FAILED_SERVICE = Rejection(2, 1, 1, "the service failed")
_USERNAME_AND_PASSCODE = 2
_TOO_MANY_CONTEXTS = Rejection(2, 3, 2, "more presentation contexts than allowed")


class ServedAssociation(Asking):
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
        self._contexts_maximum = limits.presentation_contexts
        self.identifier_maximum = limits.identifier
        self.dul.reader.command_set_maximum = limits.command_set
        self._session: Session | None = None
        self._queries: deque[QueryRequest] = deque()
        self.cancelled: set[int] = set()
        self.dul.event_queue.put("Evt5")

    @property
    def address(self) -> str:
        """The peer's."""
        return self._address[0]

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
            session, self._session = self._session, None  # pynetdicom's objects refer in circles
            if session is not None:
                tell(session.ended, how)
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
        request = self._request(request_pdu)
        answered = self._ask_service(service, request)
        if isinstance(answered, Rejection):
            self.acse.send_reject(answered.result, answered.source, answered.reason)
            return False
        self._accepted_cx = {cast("int", cx.context_id): cx for cx in answered if cx.result == 0}
        self._rejected_cx = [cx for cx in answered if cx.result != 0]
        grant(self)
        self.acse.send_accept()
        self.is_established = self.dul.usable
        return self.is_established

    def _request(self, request_pdu: bytes) -> AssociationRequest:
        user = self.requestor
        called, calling = stripped_titles(request_pdu)
        providing = {str(uid) for uid, item in user.role_selection.items() if item.scp_role}
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
                    scp_role=context.abstract_syntax in providing,
                )
                for context in proposed
            ),
            implementation_class_uid=str(user.implementation_class_uid or ""),
            implementation_version_name=user.implementation_version_name or "",
            maximum_pdu=self.peer_maximum_pdu,
            certificate=certificate_of(self.stream.socket),
            user=self._user(),
        )

    def _user(self) -> UserIdentity | None:
        item = self.requestor.user_identity
        if item is None or item.user_identity_type != _USERNAME_AND_PASSCODE:
            return None
        name = (item.primary_field or b"").decode("utf-8", "replace")
        return UserIdentity(name, item.secondary_field or b"")

    def _ask_service(
        self, service: Service, request: AssociationRequest
    ) -> Rejection | list[PresentationContext]:
        if len(request.contexts) > self._contexts_maximum:
            return _TOO_MANY_CONTEXTS
        try:
            session = service.open(request)
            if isinstance(session, Rejection):
                return session
            self._session = session
            return answer(self, request, session)
        except Exception as error:
            log.error("association.service_failed error=%s", where(error))
            return _FAILED_SERVICE

    def _serve_messages(self) -> Ending:
        while True:
            arrived = self.dul.pump(self._idle)
            while self._queries and self.dul.usable:
                self._serve_query(self._queries.popleft())
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
        if command.field == commands.C_STORE_RQ:
            assert self._session is not None
            return begin_store(self, context_id, command, self._session.store)
        if command.field in FIELDS and command.has_data_set:
            return Identifier(
                lambda data: self._queue(context_id, command, data), self.identifier_maximum
            )
        if command.field == commands.C_CANCEL_RQ:
            if len(self.cancelled) < _CANCELS_MAXIMUM:
                self.cancelled.add(command.responded_message_id)
            return Unasked() if command.has_data_set else None
        return super().begin_message(context_id, command, encoded)

    def _queue(self, context_id: int, command: CommandSet, identifier: bytes) -> None:
        if self._queries:  # one at a time is what was negotiated (PS3.7 D.3.3.3)
            raise ProtocolViolation("a request before the last one was answered", UNEXPECTED_PDU)
        transfer_syntax = str(self._accepted_cx[context_id].transfer_syntax[0])
        self._queries.append(query_request(command, context_id, transfer_syntax, identifier))

    def _serve_query(self, request: QueryRequest) -> None:
        """Ask the session; every pending response is sent by it, the last one here."""
        assert self._session is not None
        exchange = Exchange(self, request)
        try:
            final = self._session.query(request, exchange)
            exchange.send(final)
        except WireError as error:
            if self.dul.usable:
                self.dul.end(self.dul.explain(error))
        except Exception as error:
            log.error("query.failed error=%s", where(error))
            self.send_message(
                request.context_id,
                encode_query_response(request, QueryResponse(0xC000, "the router failed")),
            )
        finally:
            exchange.close()
            self.cancelled.discard(request.message_id)

    def refresh(self) -> bool:
        for _ in range(_READ_AHEAD):
            if not self.dul.pump(0):
                break
        return self.dul.usable and not self.dul.to_user_queue.queue

    def _log_failure(self) -> None:
        if self.dul.failure is not None:
            log.info(
                "association.failed address=%s why=%r", self._address[0], str(self.dul.failure)
            )


def _ending(failure: Exception | None) -> Ending:
    match failure:
        case PeerTimeout():
            return "timeout"
        case ConnectionLost():
            return "lost"
        case AssociationAborted() | _:
            return "aborted"
