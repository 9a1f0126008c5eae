"""No destination gets back what came from it: destinations as those are known that send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config import DicomDestination
from router.spool.records import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from router.config.model import DestinationConfig

CAME_FROM_THERE = "it came from there"
_CAME_FROM = """
SELECT 1 FROM instances i JOIN associations a ON a.id = i.association
WHERE i.id = ? AND a.calling_ae_title = ? AND ? IN ('', a.address)
"""


def as_sender(name: str, settings: DestinationConfig | None) -> StandIn:
    """A destination as it would send to us: its AE title and, where it is known, its address."""
    if not isinstance(settings, DicomDestination):
        return StandIn(name)
    return StandIn(name, settings.ae_title, settings.address)


def came_from(execute: Callable[..., apsw.Cursor], instance: int, who: StandIn) -> bool:
    """Whether that is who sent the instance."""
    if not who.ae_title:
        return False
    return execute(_CAME_FROM, (instance, who.ae_title, who.address)).fetchone() is not None
