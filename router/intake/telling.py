"""What the log tells of associations and of what comes on them: of patients only if it may."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.intake import contexts
from router.intake.arrivals import identifiers
from router.wire import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.instance import Association
    from router.intake.receiver import Received
    from router.wire import Response, StoreRequest

log = logging.getLogger("router.intake")

_WHY_NOT = {
    contexts.USER_REJECTION: "not for this sender",
    contexts.ABSTRACT_SYNTAX_NOT_SUPPORTED: "no service here",
    contexts.TRANSFER_SYNTAXES_NOT_SUPPORTED: "none of its transfer syntaxes",
}
_MOST_NAMED = 5


def who(association: Association) -> str:
    """The fields that every line about an association begins with."""
    return (
        f"listener={quoted(association.listener)} calling={quoted(association.calling_ae_title)} "
        f"called={quoted(association.called_ae_title)} address={association.address}"
    )


def arrived(association: Association, received: Received) -> None:
    """Whose it is: for `logging.patient_data` only. Other lines have its SOP Instance UID."""
    log.info(
        "instance.arrived %s sop_instance=%s study_instance=%s patient_id=%s accession_number=%s",
        who(association), quoted(received.request.sop_instance_uid),
        *map(quoted, identifiers(received)),
    )  # fmt: skip


def refused(association: Association, request: StoreRequest, response: Response) -> None:
    log.warning(
        "instance.refused %s sop_instance=%s status=0x%04X reason=%s",
        who(association), quoted(request.sop_instance_uid), response.status,
        quoted(response.error_comment),
    )  # fmt: skip


def not_agreed(association: Association, answers: Mapping[str, str | int]) -> str:
    """What was proposed and not accepted, by abstract syntax with the reason; `""`: nothing."""
    found = [
        f"{contexts.name(uid)} ({_WHY_NOT[answer]})"
        for uid, answer in answers.items()
        if isinstance(answer, int)
    ]
    if not found:
        return ""
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    named = ", ".join(found[:_MOST_NAMED]) + more
    log.info("association.not_agreed %s contexts=%s", who(association), quoted(named))
    return named
