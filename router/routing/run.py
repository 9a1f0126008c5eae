"""One copy through its route's chain: filter, rewrite, verify, store, forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.instance import Hold, Skip
from router.routing.facts import Facts
from router.routing.failures import HookFailed, describe
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.instance import Destination, Instance
    from router.routing.chain import Chain
    from router.routing.spec import ChainSpec
    from router.spool.records import CopyOutcome


def run_chain(
    chain: Chain, spec: ChainSpec, instance: Instance, received: Instance, planned: Iterable[str]
) -> CopyOutcome:
    """What the chain, which was built by `spec`, makes of a copy planned for destinations.

    `received` is the same instance once more, for the filters. A plugin's failure is an outcome.
    The copy's bytes are settled when the rewrites are done: what a hook that only reads changes
    goes nowhere.
    """
    facts = Facts.of(instance)
    try:
        decision = chain.filter_instance(received, facts)
        if decision:
            reason = str(decision.answer.reason)
            if isinstance(decision.answer, Skip):
                return Skipped(reason, decision.plugin)
            status = decision.answer.status
            return HeldCopy(reason, decision.plugin, "filter_instance", status=status)
        chain.rewrite_instance(instance, facts)
        _settle(instance, chain.called("rewrite_instance", facts), "rewrite_instance")
        chain.verify_instance(instance, facts)
        kept = chain.store_instance(instance, facts)
        added = chain.forward_instance(instance, facts, spec.destinations)
    except HookFailed as failure:
        return HeldCopy(failure.reason, failure.plugin, failure.hook, failure.retry_after)
    return _processed(instance, tuple(dict.fromkeys((*planned, *added))), tuple(kept))


def run_outgoing(
    chain: Chain, spec: ChainSpec, instance: Instance, destination: Destination
) -> CopyOutcome:
    """What a destination's chain makes of one delivery's copy."""
    facts = Facts.of(instance)
    try:
        chain.rewrite_outgoing(instance, facts, destination)
        _settle(instance, chain.called("rewrite_outgoing", facts), "rewrite_outgoing")
    except HookFailed as failure:
        return HeldCopy(failure.reason, failure.plugin, failure.hook, failure.retry_after)
    return _processed(instance, (destination.name,), ())


def _processed(
    instance: Instance, destinations: tuple[str, ...], notes: tuple[str, ...]
) -> Processed:
    return Processed(
        segments=instance.segments if instance.changed else None,
        transfer_syntax=str(instance.transfer_syntax),
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        study_instance_uid=instance.study_instance_uid,
        series_instance_uid=instance.series_instance_uid,
        destinations=destinations,
        notes=notes,
    )


def _settle(instance: Instance, rewriters: list[str], hook: str) -> None:
    """Write what the rewrites made; what cannot be written is their failure."""
    try:
        instance.seal()
    except Hold as hold:
        raise HookFailed(", ".join(rewriters), hook, hold.reason) from None
    except Exception as error:
        raise HookFailed(", ".join(rewriters), hook, describe(error)) from None
