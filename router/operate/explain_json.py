"""An explanation for scripts: plain values, those that may name a patient only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.instance import Refusal
from router.operate.explanation import NotExplained
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from router.operate.explanation import Explanation, Leaving, RouteWay
    from router.routing.explain import Explained
    from router.routing.reasons import Reason

Json = dict[str, Any]


def as_json(explanation: Explanation | NotExplained, show_values: bool) -> Json:
    """The whole way; without `show_values` there is no value of any element in it."""
    if isinstance(explanation, NotExplained):
        return {"name": explanation.name, "error": explanation.reason}
    given, association = explanation.given, explanation.association
    return {
        "name": given.name,
        "sop_class_uid": given.sop_class_uid,
        "sop_instance_uid": given.sop_instance_uid,
        "transfer_syntax": given.transfer_syntax,
        "association": {
            "calling_ae_title": association.calling_ae_title,
            "called_ae_title": association.called_ae_title,
            "address": association.address,
            "listener": association.listener,
            "peer": association.peer,
        },
        "refused": [
            {"by": verdict.said_by, "reason": verdict.reason, "status": verdict.status}
            for verdict in explanation.refused
        ],
        "unmatched": explanation.unmatched,
        "attention": explanation.attention,
        "routes": [_route(route, show_values) for route in explanation.routes],
    }


def _route(route: RouteWay, show_values: bool) -> Json:
    found: Json = {
        "route": route.route,
        "line": f"{route.position.file}:{route.position.line}",
        "applies": route.applies,
        "state": route.state,
        "because": route.because,
        "reasons": [_reason(reason, show_values) for reason in route.reasons],
    }
    if route.chain is None:
        return found
    unasked = [
        {
            "plugin": each.plugin,
            "reasons": [_reason(reason, show_values) for reason in each.reasons],
        }
        for each in route.unasked
    ]
    leaving = [_leaving(each, show_values) for each in route.leaving]
    return found | _chain(route.chain, show_values) | {"unasked": unasked, "leaving": leaving}


def _chain(explained: Explained, show_values: bool) -> Json:
    return {
        "outcome": _outcome(explained.outcome),
        "steps": [
            {
                "plugin": step.plugin,
                "hook": step.hook,
                "called": step.called,
                "answer": step.answer,
                "seconds": round(step.seconds, 6),
            }
            for step in explained.steps
        ],
        "changes": [
            {"path": change.path, "vr": change.vr, "plugins": list(change.plugins)}
            | {"change": _kind(change.before, change.after)}
            | ({"before": change.before, "after": change.after} if show_values else {})
            for change in explained.changes
        ],
    }


def _kind(before: str | None, after: str | None) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "changed" if after else "emptied"


def _outcome(outcome: object) -> Json:
    match outcome:
        case Processed():
            return {"state": "processed", "transfer_syntax": outcome.transfer_syntax}
        case Skipped():
            return {"state": "skipped", "plugin": outcome.plugin, "reason": outcome.reason}
        case HeldCopy():
            where = {"plugin": outcome.plugin, "hook": outcome.hook, "reason": outcome.reason}
            return {"state": "held", **where, "retry_after": outcome.retry_after}
        case Refusal():
            return {"state": "refused", "reason": outcome.reason, "status": outcome.status}
        case _:
            return {"state": "accepted"}


def _leaving(leaving: Leaving, show_values: bool) -> Json:
    return {
        "destination": leaving.destination,
        "transfer_syntaxes": list(leaving.transfer_syntaxes),
        "added_by": leaving.added_by or None,
        "left_out": leaving.left_out or None,
        "fallbacks": list(leaving.fallbacks),
        "chain": _chain(leaving.chain, show_values) if leaving.chain else None,
    }


def _reason(reason: Reason, show_values: bool) -> Json:
    found: Json = {
        "line": f"{reason.position.file}:{reason.position.line}",
        "condition": reason.condition,
        "holds": reason.holds,
        "missing": reason.found is None,
    }
    shown = show_values or not reason.of_patient
    return found | ({"found": reason.found} if shown else {})
