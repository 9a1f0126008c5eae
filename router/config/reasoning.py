"""What can be told of conditions without an instance: which never hold, and which not together.

Only what is certain is said: where this cannot tell, conditions hold, together and apart.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import TYPE_CHECKING, TypeAlias

from pydicom.datadict import dictionary_VM, dictionary_VR

from router.config import when as w

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from datetime import time

    from router.dataset import Path

Leaf: TypeAlias = w.Element | w.AssociationIs

_MOST = 64  # cases of one condition; what has more is not reasoned about
_LARGE = 1000  # values of a list that is not gone through
_WILD = re.compile(r"[*?]")
_DAY = 24 * 60


@dataclass(frozen=True)
class Fact:
    """That a condition holds, or that it does not."""

    leaf: Leaf
    holds: bool

    def __str__(self) -> str:
        return f"`{self.leaf.text}`" if self.holds else f"`not: {{{self.leaf.text}}}`"


@dataclass(frozen=True)
class Case:
    """Facts that make a condition hold, all together."""

    facts: tuple[Fact, ...] = ()

    @cached_property
    def contradiction(self) -> tuple[Fact, Fact] | None:
        """Two facts that cannot both be, or twice one that cannot be."""
        for fact in self.facts:
            if _is_impossible(fact):
                return fact, fact
        for key in self._by_key:
            for one, other in combinations(self._by_key[key], 2):
                if _contradict(one, other):
                    return one, other
        return None

    def contradicts(self, other: Case) -> bool:
        """Whether a fact of this case and one of the other cannot both be."""
        return any(
            _contradict(one, another)
            for key in self._by_key.keys() & other._by_key.keys()
            for one in self._by_key[key]
            for another in other._by_key[key]
        )

    @cached_property
    def values(self) -> dict[Hashable, frozenset[str]]:
        """What can only be one of few values, and these, as they are compared."""
        found = {}
        for fact in self.facts:
            key = _key(fact.leaf)
            several = [_values(test) for test in fact.leaf.tests]
            if fact.holds and key and _has_one_value(fact.leaf) and None not in several:
                folded = [_folded(test) for test in fact.leaf.tests]
                found[key] = frozenset().union(*folded)
        return found

    @cached_property
    def _by_key(self) -> dict[Hashable, list[Fact]]:
        found: dict[Hashable, list[Fact]] = {}
        for fact in self.facts:
            if (key := _key(fact.leaf)) is not None:
                found.setdefault(key, []).append(fact)
        return found


def cases(when: w.When, holds: bool = True) -> list[Case]:
    """Cases of which one applies where the condition holds (or does not); none: it never does."""
    match when:
        case w.Not():
            return cases(when.condition, not holds)
        case w.Element() | w.AssociationIs():
            return [Case((Fact(when, holds),))]
    each = [cases(condition, holds) for condition in when.conditions]
    if isinstance(when, w.All) is holds:
        return _together(each)
    return _few([case for several in each for case in several])


def never(when: w.When) -> bool:
    """Whether no instance can meet the condition."""
    return all(case.contradiction for case in cases(when))


def always(conditions: Iterable[w.When]) -> bool:
    """Whether every instance meets at least one of the conditions."""
    return all(case.contradiction for case in cases(w.Any_(tuple(conditions)), holds=False))


def exclude(these: Iterable[Case], those: Iterable[Case]) -> bool:
    """Whether nothing can be in one of these cases and in one of those."""
    return all(one.contradicts(other) for one, other in product(these, those))


def _together(each: list[list[Case]]) -> list[Case]:
    found = [Case()]
    for several in each:
        found = _few([Case(one.facts + other.facts) for one in found for other in several])
    return found


def _few(found: list[Case]) -> list[Case]:
    return found if len(found) <= _MOST else [Case()]


def _key(leaf: Leaf) -> Hashable:
    """What it is about; None for names of persons, which match in several forms."""
    if isinstance(leaf, w.AssociationIs):
        return leaf.attribute
    return None if _dictionary(leaf.path)[0] == "PN" else (leaf.path.everywhere, leaf.path.steps)


def _has_one_value(leaf: Leaf) -> bool:
    if isinstance(leaf, w.AssociationIs):
        return True
    is_single = len(leaf.path.steps) == 1 and not leaf.path.everywhere
    return is_single and _dictionary(leaf.path)[1] == "1"


def _dictionary(path: Path) -> tuple[str, str]:
    """VR and VM; nothing for what is in no dictionary."""
    step = path.steps[-1]
    try:
        return ("", "") if step.creator else (dictionary_VR(step.tag), dictionary_VM(step.tag))
    except KeyError:
        return "", ""


def _is_impossible(fact: Fact) -> bool:
    tests = fact.leaf.tests
    if fact.holds:
        return all(isinstance(test, w.Listed) and not test.values for test in tests)
    return {w.Exists(True), w.Exists(False)} <= set(tests)


def _contradict(one: Fact, other: Fact) -> bool:
    """Whether two facts about the same cannot both be."""
    if one.holds and other.holds:
        disjoint = _disjoint if _has_one_value(one.leaf) else _one_absent
        return all(disjoint(a, b) for a, b in product(one.leaf.tests, other.leaf.tests))
    if one.holds != other.holds:
        held, denied = (one, other) if one.holds else (other, one)
        return all(any(_covers(b, a) for b in denied.leaf.tests) for a in held.leaf.tests)
    return {w.Exists(True), w.Exists(False)} <= {*one.leaf.tests, *other.leaf.tests}


def _one_absent(one: w.Test, other: w.Test) -> bool:
    return (one == w.Exists(False)) != (other == w.Exists(False))


def _disjoint(one: w.Test, other: w.Test) -> bool:
    """Whether no single value meets both tests."""
    match one, other:
        case (w.Exists(), _) | (_, w.Exists()):
            return _one_absent(one, other)
        case (w.Number() | w.Range(), w.Number() | w.Range()):
            return one.vr == other.vr and not _interval(one).meets(_interval(other))
        case (w.Network(), w.Network()):
            return not one.network.overlaps(other.network)
        case (w.TimeOfDay(), w.TimeOfDay()):
            return not (one.includes(other.start) or other.includes(one.start))
        case (w.Listed(), w.Listed()):
            return one.exact == other.exact and one.values.isdisjoint(other.values)
    for values, test in ((_values(one), other), (_values(other), one)):
        if values is not None and isinstance(test, w.Text | w.Exact | w.Listed):
            return not any(map(test.matches, values))
    if isinstance(one, w.Text) and isinstance(other, w.Text):
        return _begin_differently(one, other)
    return False


def _covers(wide: w.Test, narrow: w.Test) -> bool:
    """Whether every value that meets the narrow test meets the wide one."""
    if wide == narrow:
        return True
    match wide, narrow:
        case (w.Exists(present), _):
            return present
        case (w.Number() | w.Range(), w.Number() | w.Range()):
            return wide.vr == narrow.vr and _interval(wide).holds(_interval(narrow))
        case (w.Network(wider), w.Network(narrower)):
            return wider.overlaps(narrower) and wider.prefixlen <= narrower.prefixlen
        case (w.TimeOfDay(), w.TimeOfDay()):
            after = (_minute(narrow.start) - _minute(wide.start)) % _DAY
            return after + _minutes(narrow) <= _minutes(wide)
    values = _values(narrow)
    if values is not None and isinstance(wide, w.Text | w.Exact | w.Listed):
        return all(map(wide.matches, values))
    return isinstance(wide, w.Text) and not wide.pattern.strip("* ")


def _values(test: w.Test) -> frozenset[str] | None:
    """All values that meet the test, where they are few."""
    match test:
        case w.Exact():
            return frozenset({test.value})
        case w.Text() if not _WILD.search(test.pattern):
            return frozenset({test.pattern})
        case w.Listed() if len(test.values) <= _LARGE:
            return test.values
    return None


def _folded(test: w.Test) -> frozenset[str]:
    """Its values; without case where that does not count."""
    values = _values(test) or frozenset()
    if isinstance(test, w.Text) and not test.exact:
        return frozenset(value.strip().casefold() for value in values)
    return values


def _begin_differently(one: w.Text, other: w.Text) -> bool:
    begins = [_WILD.split(test.pattern.strip())[0] for test in (one, other)]
    if not (one.exact and other.exact):
        begins = [begin.casefold() for begin in begins]
    length = min(map(len, begins))
    return begins[0][:length] != begins[1][:length]


@dataclass(frozen=True)
class _Interval:
    """From `low` to `high`; `open` leaves them out."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def meets(self, other: _Interval) -> bool:
        return not (self._is_below(other) or other._is_below(self))

    def _is_below(self, other: _Interval) -> bool:
        touches = self.high == other.low and (self.open_high or other.open_low)
        return self.high < other.low or touches

    def holds(self, other: _Interval) -> bool:
        low = (self.low, self.open_low) <= (other.low, other.open_low)
        return low and (self.high, not self.open_high) >= (other.high, not other.open_high)


def _interval(test: w.Number | w.Range) -> _Interval:
    if isinstance(test, w.Range):
        return _Interval(test.low, test.high)
    is_open = test.operator in ("<", ">")
    if test.operator in ("<", "<="):
        return _Interval(-math.inf, test.value, open_high=is_open)
    return _Interval(test.value, math.inf, open_low=is_open)


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _minutes(span: w.TimeOfDay) -> int:
    return (_minute(span.end) - _minute(span.start)) % _DAY or _DAY
