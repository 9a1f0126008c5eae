"""One copy through its route's chain: filter, rewrite, verify, store, forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.instance import Skip
from router.routing.failures import HookFailed
from router.routing.matching import Facts
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.instance import Instance
    from router.routing.chain import Chain
    from router.spool.records import CopyOutcome


def run_chain(
    chain: Chain, instance: Instance, destinations: tuple[str, ...], known: Collection[str]
) -> CopyOutcome:
    """What the chain makes of the copy planned for `destinations`; raises nothing of a plugin's.

    The copy's bytes are settled when the rewrites are done: what a later hook changes stays with
    that hook.
    """
    facts = Facts.of(instance)
    try:
        decision = chain.filter_instance(instance, facts)
        if decision and isinstance(decision.answer, Skip):
            return Skipped(decision.answer.reason, decision.plugin)
        if decision:
            return HeldCopy(decision.answer.reason, decision.plugin, "filter_instance")
        chain.rewrite_instance(instance, facts)
        instance.seal()
        chain.verify_instance(instance, facts)
        kept = chain.store_instance(instance, facts)
        added = chain.forward_instance(instance, facts, known)
    except HookFailed as failure:
        return HeldCopy(failure.reason, failure.plugin, failure.hook, failure.retry_after)
    return Processed(
        segments=instance.segments if instance.changed else None,
        transfer_syntax=str(instance.transfer_syntax),
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        series_instance_uid=instance.series_instance_uid,
        destinations=tuple(dict.fromkeys((*destinations, *added))),
        notes=tuple(kept),
    )
