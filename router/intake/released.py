"""Instances no route wanted, released by a person: they take the routes there are now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.dataset import rescan
from router.intake.planning import plan

if TYPE_CHECKING:
    from router.routing import Generation
    from router.spool import Arrival, Ledger, PlannedCopy

log = logging.getLogger("router.intake")

_AT_ONCE = 100


def route_released(ledger: Ledger, generation: Generation) -> None:
    """Plan every released instance anew; one that still fits no route is held again."""
    while released := ledger.claim_released(_AT_ONCE):
        for each in released:
            copies, held = _plan(each.arrival, generation)
            ledger.plan(each.instance_id, generation.number, copies, held).result()
            log.info(
                "instance.released sop_instance=%s routes=%d",
                each.arrival.sop_instance_uid, len(copies),
            )  # fmt: skip


def _plan(arrival: Arrival, generation: Generation) -> tuple[tuple[PlannedCopy, ...], str | None]:
    """The copies, or why it is held again."""
    stored = arrival.stored
    bulk = stored.bulk if stored.problem is None else None
    try:
        scan = rescan(stored.path, stored.offset, stored.length, arrival.transfer_syntax, bulk)
    except OSError as error:
        return (), f"its file cannot be read: {error.strerror}"
    assumed = generation.routes.character_sets.get(arrival.association.peer)
    copies = plan(generation, arrival.association, scan.assuming(assumed), arrival.received)
    return copies, None if copies else "no route applies"
