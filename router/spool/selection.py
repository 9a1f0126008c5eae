"""Which deliveries, copies and instances a `Selection` means, as SQL.

Each state is asked for by its own index, so the cost is that of what waits, not of the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from router.spool.codec import encode_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.spool.records import Selection

Kind = Literal["instances", "copies", "deliveries"]
KINDS: tuple[Kind, ...] = ("instances", "copies", "deliveries")
OPEN_STATES: dict[Kind, tuple[str, ...]] = {
    "instances": ("held", "released"),
    "copies": ("received", "held"),
    "deliveries": ("queued", "waiting", "held"),
}
_SOURCES: dict[Kind, str] = {
    "instances": "instances i INDEXED BY instances_{0} JOIN series s ON s.id = i.series"
    " WHERE i.state = '{0}'",
    "copies": "copies c INDEXED BY copies_{0} JOIN instances i ON i.id = c.instance"
    " JOIN series s ON s.id = i.series WHERE c.state = '{0}'",
    "deliveries": "deliveries d INDEXED BY deliveries_{0} JOIN copies c ON c.id = d.copy"
    " JOIN instances i ON i.id = d.instance JOIN series s ON s.id = i.series"
    " WHERE d.state = '{0}'",
}
_REASONS: dict[Kind, str] = {
    "instances": "i.reason",
    "copies": "c.reason",
    "deliveries": "d.reason",
}
ALIASES: dict[Kind, str] = {"instances": "i", "copies": "c", "deliveries": "d"}


def sources(selection: Selection, kind: Kind, whole_copies: bool = False) -> Iterator[str]:
    """For each open state a FROM and WHERE clause, to be given `parameters(selection)`.

    With `whole_copies` a destination selects only the copies that go nowhere else.
    """
    conditions = list(_conditions(selection, kind, whole_copies))
    for state in OPEN_STATES[kind]:
        yield " AND ".join([f"FROM {_SOURCES[kind].format(state)}", *conditions])


def parameters(selection: Selection) -> dict[str, str | None]:
    return {
        "destination": selection.destination,
        "only": encode_names((selection.destination or "",)),
        "study": selection.study_instance_uid,
        "route": selection.route,
        "reason": selection.reason,
    }


def _conditions(selection: Selection, kind: Kind, whole_copies: bool) -> Iterator[str]:
    if kind == "instances" and (selection.destination or selection.route):
        yield "FALSE"  # no route took it
        return
    if selection.destination is not None and kind == "deliveries":
        yield "d.destination = :destination"
    elif selection.destination is not None and whole_copies:
        yield "c.destinations = :only"
    elif selection.destination is not None:
        yield "EXISTS (SELECT 1 FROM json_each(c.destinations) WHERE value = :destination)"
    if selection.study_instance_uid is not None and kind == "instances":
        yield "s.study_instance_uid = :study"
    elif selection.study_instance_uid is not None:
        yield ":study IN (s.study_instance_uid, c.study_instance_uid)"
    if selection.route is not None:
        yield "c.route = :route"
    if selection.reason is not None:
        yield f"instr(lower({_REASONS[kind]}), lower(:reason)) > 0"
