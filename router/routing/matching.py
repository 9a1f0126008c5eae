"""Conditions compiled: each `when` once, each element decoded at most once."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from pydicom.datadict import dictionary_VR

from router.config import when as w
from router.routing.facts import Facts, fold, name_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from zoneinfo import ZoneInfo

    from router.dataset import Path
    from router.instance import Association, Instance


Predicate: TypeAlias = "Callable[[Facts], bool]"


def predicate(when: w.When | None, timezone: ZoneInfo | None = None) -> Predicate:
    """A function that tells whether the condition holds; `timezone` is `time:`'s, None: local."""
    match when:
        case None:
            return lambda facts: True
        case w.All():
            return _all(when.conditions, timezone)
        case w.Any_():
            return _any(when.conditions, timezone)
        case w.Not():
            inner = predicate(when.condition, timezone)
            return lambda facts: not inner(facts)
        case w.Element():
            return _any_of(_element_tests(when))
        case w.AssociationIs():
            return _any_of(_association_tests(when, timezone))


class Condition:
    """A `when` among a plugin's options: what `router.When` promises."""

    def __init__(self, when: w.When, timezone: ZoneInfo | None) -> None:
        self._made_of = when, timezone
        self._applies = predicate(when, timezone)

    def __reduce__(self) -> tuple[type[Condition], tuple[object, ...]]:
        return Condition, self._made_of

    def matches(self, instance: Instance) -> bool:
        return self._applies(Facts.of(instance))


def _all(conditions: Iterable[w.When], timezone: ZoneInfo | None) -> Predicate:
    predicates = [predicate(condition, timezone) for condition in conditions]

    def holds(facts: Facts) -> bool:
        for meets in predicates:  # noqa: SIM110 - twice as fast as all() over a generator
            if not meets(facts):
                return False
        return True

    return holds


def _any(conditions: Iterable[w.When], timezone: ZoneInfo | None) -> Predicate:
    return _any_of(predicate(condition, timezone) for condition in conditions)


def _any_of(found: Iterable[Predicate]) -> Predicate:
    predicates = list(found)
    if len(predicates) == 1:
        return predicates[0]

    def holds(facts: Facts) -> bool:
        for meets in predicates:  # noqa: SIM110
            if meets(facts):
                return True
        return False

    return holds


def _element_tests(element: w.Element) -> Iterator[Predicate]:
    path = element.path
    named = is_name(path)
    words: set[str] = set()
    for test in element.tests:
        match test:
            case w.Exists(present):
                yield _element_exists(path, present)
            case w.Text(pattern, exact=False):
                text = as_compared(pattern, named)
                if "*" in text or "?" in text:
                    yield _any_text(path, named, glob(text))
                else:
                    words.add(text)
            case w.Listed(values=listed, exact=False):
                words.update(as_compared(value, named) for value in listed)
            case w.Number(vr=vr) | w.Range(vr=vr):
                yield _any_amount(path, vr, test.includes)
            case w.TimeOfDay():
                raise ValueError(f"{element.position}: a time of day is no test of an element")
            case _:
                yield _any_value(path, test.matches)
    if words:
        yield _one_of(path, named, frozenset(words))


def as_compared(text: str, named: bool) -> str:
    """What a rule says, as `Facts.folded` has what an element says."""
    return next(name_forms(fold(text))) if named else fold(text)


def _element_exists(path: Path, present: bool) -> Predicate:
    return lambda facts: (facts.values(path) is not None) == present


def _any_text(path: Path, named: bool, pattern: re.Pattern[str]) -> Predicate:
    return lambda facts: any(map(pattern.match, facts.folded(path, named)))


def _any_value(path: Path, meets: Callable[[str], bool]) -> Predicate:
    return lambda facts: any(map(meets, filter(str.strip, facts.values(path) or ())))


def _any_amount(path: Path, vr: str, includes: Callable[[float], bool]) -> Predicate:
    return lambda facts: any(map(includes, facts.measured(path, vr)))


def _one_of(path: Path, named: bool, words: frozenset[str]) -> Predicate:
    return lambda facts: not words.isdisjoint(facts.folded(path, named))


def _association_tests(
    condition: w.AssociationIs, timezone: ZoneInfo | None
) -> Iterator[Predicate]:
    get = attrgetter(condition.attribute)
    for test in condition.tests:
        match test:
            case w.Exists(present):
                yield _association_exists(get, present)
            case w.TimeOfDay():
                yield _received_during(test, timezone)
            case _:
                yield _association_meets(get, test.matches)


def _association_exists(get: Callable[[Association], str | None], present: bool) -> Predicate:
    return lambda facts: bool(get(facts.association)) == present


def _association_meets(
    get: Callable[[Association], str | None], meets: Callable[[str], bool]
) -> Predicate:
    return lambda facts: meets(get(facts.association) or "")


def _received_during(test: w.TimeOfDay, timezone: ZoneInfo | None) -> Predicate:
    return lambda facts: test.includes(facts.received.astimezone(timezone).time())


def glob(pattern: str) -> re.Pattern[str]:
    """`*` is any characters, `?` one; no pattern makes matching slower than linear in the text."""
    first, *middle = (
        "".join("." if character == "?" else re.escape(character) for character in part)
        for part in pattern.split("*")
    )
    if not middle:
        return re.compile(rf"(?s:{first})\Z")
    # Atomic groups: the leftmost match of a part is never given up, so nothing is tried twice.
    parts = "".join(f"(?>.*?{part})" for part in middle[:-1] if part)
    return re.compile(rf"(?s:{first}{parts}.*{middle[-1]})\Z")


@lru_cache(1024)
def is_name(path: Path) -> bool:
    """Whether what the path leads to is a person name, which is compared in all its forms."""
    step = path.steps[-1]
    try:
        return step.creator is None and dictionary_VR(step.tag) == "PN"
    except KeyError:
        return False
