"""What a `Session` says to an association request, as the items of its A-ASSOCIATE-AC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynetdicom.pdu_primitives import (
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext

if TYPE_CHECKING:
    from router.wire.asking import Asking
    from router.wire.service import AssociationRequest, ContextOffer, Session

_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
_IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def answer(
    association: Asking, request: AssociationRequest, session: Session
) -> list[PresentationContext]:
    """The answered contexts; other items are added to what the acceptor says of itself."""
    contexts = [_answered(offer, session) for offer in request.contexts]
    _answer_roles(association, request, session)
    _answer_extended(association, contexts, session)
    _confirm_user(association, session)
    return contexts


def _answered(offer: ContextOffer, session: Session) -> PresentationContext:
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


def _answer_roles(association: Asking, request: AssociationRequest, session: Session) -> None:
    """Let the requestor be the provider where the session has something for it (C-GET)."""
    for uid, proposed in association.requestor.role_selection.items():
        offered = [o for o in request.contexts if o.abstract_syntax == uid and o.scp_role]
        if offered and session.provides(offered[0]):
            role = SCP_SCU_RoleSelectionNegotiation()
            role.sop_class_uid = uid
            role.scu_role, role.scp_role = bool(proposed.scu_role), True
            association.acceptor.add_negotiation_item(role)


def _answer_extended(
    association: Asking, contexts: list[PresentationContext], session: Session
) -> None:
    accepted = {context.abstract_syntax for context in contexts if context.result == 0}
    for uid, asked in association.requestor.sop_class_extended.items():
        answered = session.extended(str(uid), asked) if uid in accepted else None
        if answered is not None:
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = uid
            item.service_class_application_information = answered
            association.acceptor.add_negotiation_item(item)


def _confirm_user(association: Asking, session: Session) -> None:
    """A requestor that asks for it is told that its user was checked (PS3.7 D.3.3.7.2)."""
    item = association.requestor.user_identity
    if session.knows_user() and item is not None and item.positive_response_requested:
        confirmed = UserIdentityNegotiation()
        confirmed.server_response = b""
        association.acceptor.add_negotiation_item(confirmed)
