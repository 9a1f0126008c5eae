"""The requestor's side of an association: negotiation, and what comes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynetdicom._globals import MODE_REQUESTOR
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context
from pynetdicom.transport import AddressInformation

from router.wire import command as commands
from router.wire.asking import Asking, Unasked
from router.wire.errors import (
    AssociationAborted,
    AssociationRejected,
    NoAcceptedContext,
    PeerTimeout,
    WireError,
)
from router.wire.incoming import begin_store
from router.wire.window import propose

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Sequence

    from router.wire.command import CommandSet
    from router.wire.inquiry import Inquiry
    from router.wire.limits import Timeouts
    from router.wire.pdv import Target
    from router.wire.requestor import Peer

_IDLE_MESSAGES = 100  # dealt with at a time: a peer may never stop sending what nobody asked for


class Requesting(Asking):
    """The requestor's side of an association."""

    def __init__(self, connection: socket.socket, timeouts: Timeouts, maximum_pdu: int) -> None:
        super().__init__(
            connection,
            MODE_REQUESTOR,
            artim=timeouts.association,
            pace=timeouts.pace,
            maximum_pdu=maximum_pdu,
        )
        self._proposed: dict[int, tuple[str, frozenset[str]]] = {}
        self.inquiry: Inquiry | None = None
        self.peer_address = ""

    def negotiate(
        self,
        peer: Peer,
        contexts: Sequence[tuple[str, Sequence[str]]],
        receiving: Collection[str] = (),
        window: int = 1,
    ) -> None:
        """What `AE.associate` does, over a connection that is there."""
        self.acceptor.ae_title = "PEER"  # both are overwritten by `titles` in the PDU
        self.requestor.ae_title = "ROUTER"
        self.dul.titles = _title(peer.called_ae_title) + _title(peer.calling_ae_title)
        peer_name = self.stream.socket.getpeername()
        self.peer_address = str(peer_name[0])
        self.acceptor.address_info = AddressInformation.from_tuple(peer_name)
        self.requestor.address_info = AddressInformation.from_tuple(
            self.stream.socket.getsockname()
        )
        requested = []
        for index, (abstract_syntax, transfer_syntaxes) in enumerate(contexts):
            context = build_context(abstract_syntax, list(transfer_syntaxes))
            context.context_id = 2 * index + 1
            requested.append(context)
            self._proposed[context.context_id] = abstract_syntax, frozenset(transfer_syntaxes)
        self.requestor.requested_contexts = requested
        for abstract_syntax in receiving:
            role = SCP_SCU_RoleSelectionNegotiation()
            role.sop_class_uid = abstract_syntax
            role.scu_role, role.scp_role = False, True
            self.requestor.add_negotiation_item(role)
        propose(self, window)
        self.request()
        if not self.is_established:
            raise self._refusal()

    def accepted_pairs(self) -> dict[tuple[str, str], int]:
        """(abstract syntax, transfer syntax) → context ID; the first where there are several."""
        pairs: dict[tuple[str, str], int] = {}
        for context_id, context in sorted(self._accepted_cx.items()):
            abstract_syntax, proposed = self._proposed[context_id]
            chosen = str(context.transfer_syntax[0]) if context.transfer_syntax else ""
            if chosen in proposed:
                pairs.setdefault((abstract_syntax, chosen), context_id)
        return pairs

    def refresh(self) -> bool:
        """Deal with what the peer has sent since; whether the association is still open."""
        if not self.is_established:
            return False
        for _ in range(_IDLE_MESSAGES):
            if not self.dul.pump(0):
                break
        said = self.dul.to_user_queue.queue  # or asking for a release would look for more
        if self.dul.usable and said and self.acse.is_release_requested():
            self.confirm_release()
        elif not self.dul.usable:
            self.is_established = False
            self.kill()
        return self.is_established

    def confirm_if_released(self) -> None:
        if self.acse.is_release_requested():
            self.confirm_release()

    def begin_message(self, context_id: int, command: CommandSet, encoded: bytes) -> Target | None:
        if self.inquiry is not None:
            if command.field & commands.RESPONSE:
                return self.inquiry.begin_response(command)
            if command.field == commands.C_STORE_RQ and self.inquiry.store is not None:
                return begin_store(self, context_id, command, self.inquiry.store)
        if command.field & commands.RESPONSE:
            return super().begin_message(context_id, command, encoded)
        return Unasked() if command.has_data_set else None

    def _refusal(self) -> WireError:
        answer = self.acceptor.primitive
        if self.dul.failure is not None:
            return self.dul.failure
        if answer is None:
            return PeerTimeout(f"no answer to the association request within {self.acse_timeout} s")
        if answer.result:
            return AssociationRejected(
                answer.result, answer.result_source or 0, answer.diagnostic or 0
            )
        if not self._accepted_cx:
            return NoAcceptedContext("the peer accepted none of the proposed contexts")
        return AssociationAborted("the association request was not answered as it should be")


def _title(title: str) -> bytes:
    return title.encode("latin-1", "replace")[:16].ljust(16)
