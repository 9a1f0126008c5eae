"""What becomes of an accepted instance: one copy for every route that applies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.spool import PlannedCopy, as_sender

if TYPE_CHECKING:
    from datetime import datetime

    from router.config import Config, Route
    from router.dataset import Scan
    from router.instance import Association
    from router.routing import Generation


def plan(
    generation: Generation, association: Association, scan: Scan, received: datetime
) -> tuple[PlannedCopy, ...]:
    """The copies the routes make, in file order; none when no route applies.

    An instance is never sent back to where it came from: the copy notes such a destination.
    """
    matches = generation.routes.match(association, scan, received)
    return tuple(_copy(match.route, association, generation) for match in matches)


def _copy(route: Route, association: Association, generation: Generation) -> PlannedCopy:
    config, follows = generation.config, generation.studies.get(route.name)
    source = tuple(name for name in route.to if is_source(association, name, config))
    to = tuple(name for name in route.to if name not in source)
    priority = max((config.destinations[name].priority for name in to), default=0)
    copy = PlannedCopy(route.name, to, bool(route.chain), priority, came_from=source)
    if follows is None:
        return copy
    return replace(
        copy,
        has_chain=copy.has_chain and not follows.only,
        study_quiet=follows.quiet,
        together=follows.together,
    )


def is_source(association: Association, destination: str, config: Config) -> bool:
    """Whether a destination is the peer that sent: same AE title at the same address.

    A destination given by host name is compared by AE title alone: a look-up at this point would
    make every acknowledgement wait for the name server.
    """
    who = as_sender(destination, config.destinations[destination])
    if not who.ae_title or who.ae_title != association.calling_ae_title:
        return False
    return who.address in ("", association.address)
