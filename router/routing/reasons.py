"""Why a condition holds or does not: the conditions that decided, each with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.config import when as w
from router.routing.matching import predicate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from router.config import Position
    from router.routing.facts import Facts


@dataclass(frozen=True)
class Reason:
    """One condition that decided: as it stands in the file, and whether what it asks for is so.

    `found` is what it was asked about: None where there is no such element, () where it is empty.
    `of_patient` says that this may identify a patient, as every element may.
    """

    position: Position
    condition: str
    holds: bool
    found: tuple[str, ...] | None
    of_patient: bool

    def __str__(self) -> str:
        word = "" if self.holds else "not "
        return f"{self.position.file}:{self.position.line} {word}{self.condition}"


def reasons(when: w.When, facts: Facts, timezone: ZoneInfo | None) -> Iterator[Reason]:
    """What decided whether `when` holds: all that had to hold, or the first that did not."""
    yield from _deciding(when, facts, timezone, predicate(when, timezone)(facts))


def _deciding(
    when: w.When, facts: Facts, timezone: ZoneInfo | None, holds: bool
) -> Iterator[Reason]:
    match when:
        case w.Element():
            found = facts.values(when.path)
            yield Reason(when.position, when.text, holds, found, of_patient=True)
        case w.AssociationIs():
            yield Reason(when.position, when.text, holds, _asked(when, facts, timezone), False)
        case w.Not():
            yield from _deciding(when.condition, facts, timezone, not holds)
        case w.All() | w.Any_():
            conditions = when.conditions
            if isinstance(when, w.All) != holds:  # one of them is enough for that
                decided = (c for c in conditions if predicate(c, timezone)(facts) == holds)
                conditions = tuple(decided)[:1]
            for condition in conditions:
                yield from _deciding(condition, facts, timezone, holds)


def _asked(
    condition: w.AssociationIs, facts: Facts, timezone: ZoneInfo | None
) -> tuple[str, ...] | None:
    if condition.attribute == "time":
        return (f"{facts.received.astimezone(timezone):%H:%M}",)
    value = getattr(facts.association, condition.attribute)
    return (value,) if value else None
