"""Associations we ask for: C-STORE and C-ECHO to a peer, by one thread each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.wire import command as commands
from router.wire.connecting import connect_to
from router.wire.errors import (
    ConnectFailed,
    ConnectionLost,
)
from router.wire.inquiry import Inquiry
from router.wire.limits import AcceptorLimits, Timeouts
from router.wire.queries import QueryRequest
from router.wire.requesting import Requesting
from router.wire.secure import SecureSocket, secured, shake_hands, why_refused
from router.wire.window import granted

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Collection, Mapping, Sequence

    from router.dataset import Segment
    from router.wire.queries import Service
    from router.wire.service import Response, StoreRequest, StoreSink

MAXIMUM_CONTEXTS = 128  # odd IDs of one byte, PS3.8 table 9-13
VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True)
class Peer:
    """Whom to ask; AE titles go out as given (Latin-1), padded to 16 bytes.

    `tls` secures the connection; the certificate has to be `server_name`'s, or else `host`'s,
    where the context checks names.
    """

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


def connect(
    peer: Peer,
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    timeouts: Timeouts | None = None,
    maximum_pdu: int = AcceptorLimits.maximum_pdu,
    receiving: Collection[str] = (),
    window: int = 1,
) -> OutgoingAssociation:
    """Open an association proposing `contexts`, (abstract syntax, transfer syntaxes) in order.

    Of the abstract syntaxes `receiving` we propose to be the provider, as a C-GET needs it. A
    `window` of more than 1 is proposed as Asynchronous Operations Window (PS3.7 D.3.3.3).

    Raises `ConnectFailed`, `AssociationRejected`, `AssociationAborted`, `ConnectionLost`,
    `PeerTimeout`, `NoAcceptedContext`; `ValueError` unless there are 1 to 128 contexts.
    """
    if not 1 <= len(contexts) <= MAXIMUM_CONTEXTS:
        raise ValueError(f"an association has 1 to {MAXIMUM_CONTEXTS} contexts")
    timeouts = timeouts or Timeouts()
    try:
        connection = connect_to(peer.host, peer.port, timeouts.connect)
    except OSError as error:
        why = error.strerror or error
        raise ConnectFailed(f"cannot connect to {peer.host} port {peer.port}: {why}") from error
    if peer.tls is not None:
        connection = _secure(connection, peer, peer.tls, timeouts.association)
    association: Requesting | None = None
    try:
        association = Requesting(connection, timeouts, maximum_pdu)
        association.negotiate(peer, contexts, receiving, window)
    except BaseException as error:
        connection.close()
        if association is not None:
            association.kill()
        if isinstance(error, OSError):  # the socket's options or addresses: the peer has gone
            raise _lost(f"connection lost: {error.strerror}", peer) from error
        if isinstance(error, ConnectionLost):
            raise _lost(str(error), peer) from error
        raise
    return OutgoingAssociation(association, timeouts.response, granted(association, window))


def _secure(
    connection: socket.socket, peer: Peer, context: ssl.SSLContext, timeout: float
) -> socket.socket:
    wrapped: SecureSocket | None = None
    try:
        wrapped = secured(connection, context, peer.server_name or peer.host)
        shake_hands(wrapped, timeout)
    except OSError as error:
        (wrapped or connection).close()
        where = f"{peer.host} port {peer.port}"
        raise ConnectFailed(f"no TLS with {where}: {why_refused(error)}") from error
    return wrapped


def _lost(why: str, peer: Peer) -> ConnectionLost:
    """With TLS 1.3 a certificate is refused after the handshake, and perhaps without a word."""
    hint = (
        "; so does a peer that does not accept our certificate, or misses one" if peer.tls else ""
    )
    return ConnectionLost(why + hint)


class OutgoingAssociation:
    """An established association. After any `WireError` but `SourceUnreadable` it is over.

    As many C-STOREs as `window` says may be outstanding; 1 unless the peer granted more.
    """

    def __init__(self, association: Requesting, response_timeout: float, window: int) -> None:
        self._association = association
        self.window = window
        self._timeout = response_timeout
        self._message_id = 0
        self.accepted: Mapping[tuple[str, str], int] = association.accepted_pairs()

    def __repr__(self) -> str:
        state = "open" if self._association.is_established else "over"
        return f"<OutgoingAssociation {state}, {len(self.accepted)} contexts>"

    @property
    def address(self) -> str:
        """The peer's, as it was reached."""
        return self._association.peer_address

    @property
    def is_open(self) -> bool:
        """Still usable as far as the peer has said; deals with what arrived while it was idle."""
        return self._association.refresh()

    def context_for(self, sop_class_uid: str, transfer_syntax: str) -> int | None:
        """The accepted context for exactly this pair."""
        return self.accepted.get((sop_class_uid, transfer_syntax))

    def store(
        self,
        context_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        segments: Sequence[Segment],
        *,
        priority: int = 0,
        move_originator: tuple[str, int] | None = None,
    ) -> Response:
        """C-STORE the bytes of `segments` as they are, in the context's transfer syntax.

        Raises `AssociationAborted`, `ConnectionLost` or `PeerTimeout`, which end the association,
        and `SourceUnreadable`, which ends it only if bytes were already sent (see `is_open`).
        """
        message_id = self._next_message_id()
        command = commands.encode_store_request(
            message_id, sop_class_uid, sop_instance_uid, priority, move_originator
        )
        return self._association.ask(context_id, message_id, command, segments, self._timeout)

    def store_ahead(
        self,
        context_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        segments: Sequence[Segment],
        *,
        move_originator: tuple[str, int] | None = None,
    ) -> int:
        """Send as `store` does, and raise as it does, but do not wait: the Message ID that
        `responses` will have. Those sent before it may have been answered when it raises.
        """
        message_id = self._next_message_id()
        command = commands.encode_store_request(
            message_id, sop_class_uid, sop_instance_uid, 0, move_originator
        )
        self._association.invoke(context_id, message_id, command, segments, self._timeout)
        return message_id

    def responses(self, *, wait: bool) -> dict[int, Response]:
        """What has been answered since the last call, by Message ID; with `wait`, at least one.

        Raises as `store` does, `PeerTimeout` when the oldest request stays without a response.
        """
        while wait and not self._association.responses:
            self._association.await_response(self._timeout)
        taken, self._association.responses = self._association.responses, {}
        return taken

    def echo(self) -> Response:
        """C-ECHO; raises as `store` does, and `ValueError` without a Verification context."""
        for (abstract_syntax, _), context_id in self.accepted.items():
            if abstract_syntax == VERIFICATION:
                message_id = self._next_message_id()
                command = commands.encode_echo_request(message_id, VERIFICATION)
                return self._association.ask(context_id, message_id, command, None, self._timeout)
        raise ValueError("no context for Verification was accepted")

    def query(
        self,
        service: Service,
        context_id: int,
        identifier: bytes,
        *,
        move_destination: str = "",
        message_id: int | None = None,
        store: Callable[[StoreRequest], StoreSink | Response] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Inquiry:
        """Send a C-FIND, C-MOVE or C-GET, the `identifier` in the context's transfer syntax.

        `store` takes what a C-GET brings until `ended` is told. Raises as `store` does.
        """
        abstract_syntax, transfer_syntax = self.pair_of(context_id)
        request = QueryRequest(
            service,
            self._next_message_id() if message_id is None else message_id,
            context_id,
            transfer_syntax,
            abstract_syntax,
            0,
            identifier,
            move_destination,
        )
        inquiry = Inquiry(self._association, request, store, ended)
        inquiry.begin()
        return inquiry

    def pair_of(self, context_id: int) -> tuple[str, str]:
        """(abstract syntax, transfer syntax) of an accepted context."""
        return next(pair for pair, found in self.accepted.items() if found == context_id)

    def release(self) -> None:
        """End it in good order; a peer that does not answer is aborted. Never raises."""
        if self._association.refresh():
            self._association.release()
        self._association.kill()

    def abort(self) -> None:
        """End it at once. Never raises."""
        self._association.abort()

    def interrupt(self) -> None:
        """From another thread: what the association's thread is doing ends in an A-ABORT."""
        self._association.stream.interrupt()

    def _next_message_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id
