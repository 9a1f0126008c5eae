"""Whether destinations may have more waiting for them: `spool_limit` and `when_full`."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from router.status import OUT_OF_RESOURCES
from router.wire import Response

if TYPE_CHECKING:
    from router.config import Config
    from router.spool import Ledger, PlannedCopy

Copies = tuple["PlannedCopy", ...]


class Room:
    """Leaves full destinations out of what is planned."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def allot(self, copies: Copies, size: int, config: Config) -> Copies | Response:
        """The copies with what is full noted, or the refusal of the instance."""
        wanted = {name for copy in copies for name in copy.destinations}
        full = {name for name in wanted if self._is_full(name, size, config)}
        if not full:
            return copies
        for name in sorted(full):
            if config.destinations[name].when_full == "refuse":
                return Response(OUT_OF_RESOURCES, f"Too much waits for {name}; send again later")
        return tuple(
            dataclasses.replace(
                copy,
                destinations=tuple(name for name in copy.destinations if name not in full),
                full=tuple(name for name in copy.destinations if name in full),
            )
            for copy in copies
        )

    def _is_full(self, destination: str, size: int, config: Config) -> bool:
        limit = config.destinations[destination].spool_limit
        return limit != math.inf and self._ledger.waiting_bytes(destination) + size > limit
