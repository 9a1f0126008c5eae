"""The rule of who delivers: of an instance's copies, which become deliveries to which destination.

Routes have an order. A destination several of them want waits for the earlier ones: as long as an
earlier copy is unprocessed or held, it may still turn out to be the one that goes there; once it
is skipped or discarded the next has its turn. A processed copy goes there unless an earlier
one with the same outgoing SOP Instance UID does: one SOP Instance UID goes to a destination once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from router.spool.records import CopyState


@dataclass(frozen=True, slots=True)
class Candidate:
    """One copy of an instance; `destinations` are the planned ones until it is processed."""

    copy_id: int
    route: str
    state: CopyState
    destinations: tuple[str, ...]
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`copy` goes to `destination`, or does not since the route `taken_by` sends the same there."""

    copy: Candidate
    destination: str
    taken_by: str | None


def settle(
    copies: Sequence[Candidate],
    decided: Collection[tuple[int, str]] = (),
    taken: Mapping[tuple[str, str], str] | None = None,
) -> list[Decision]:
    """What can be decided now and was not before, for `copies` in the order of their routes.

    `decided` are the (copy id, destination) of earlier decisions, `taken` maps the
    (destination, SOP Instance UID) of the deliveries made to the route that made them.
    """
    taken_by = dict(taken or {})
    blocked: set[str] = set()
    decisions: list[Decision] = []
    for copy in copies:
        if copy.state in ("received", "held"):
            blocked.update(copy.destinations)
        if copy.state != "processed":
            continue
        for destination in dict.fromkeys(copy.destinations):
            if destination in blocked or (copy.copy_id, destination) in decided:
                continue
            key = (destination, copy.sop_instance_uid)
            decisions.append(Decision(copy, destination, taken_by.get(key)))
            taken_by.setdefault(key, copy.route)
    return decisions
