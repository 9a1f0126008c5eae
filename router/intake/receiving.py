"""What comes on an association of our own: the instances of a C-GET that we sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.intake.admission import Admitted
from router.intake.room import Room
from router.intake.session import StoreSession

if TYPE_CHECKING:
    from router.instance import Association
    from router.routing import Generation
    from router.spool import Retrieve, Spool


def open_receiving(
    spool: Spool, association: Association, generation: Generation, retrieve: Retrieve
) -> StoreSession:
    """Take instances into the spool for one retrieve; `ended` when there are no more."""
    admitted = Admitted(association, frozenset({"store"}))
    return StoreSession(admitted, generation, spool, Room(spool.ledger), retrieve=retrieve)
