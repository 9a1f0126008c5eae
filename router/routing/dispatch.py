"""Which of many conditions hold, without asking each: they are filed under what they ask for.

Each is asked only where something it needs is there: a value, a part of a text, or the answer to
what several of them ask, which is then asked once.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.config import when as w
from router.routing.matching import as_compared, is_name, predicate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from router.dataset import Path
    from router.routing.facts import Facts

_WILD = re.compile(r"[*?]+")


@dataclass(frozen=True)
class _Text:
    """The element has a text that is this one, that has it as a part, or a value exactly this."""

    kind: Literal["word", "part", "value"]
    path: Path
    text: str


_Need: TypeAlias = "_Text | w.When"
_Needs: TypeAlias = "frozenset[_Need]"  # where a condition holds, one of them is met


def folded(when: w.When, known: Mapping[w.AssociationIs, bool]) -> w.When | bool:
    """What is left to ask where these conditions about the association are known to hold or not."""
    match when:
        case w.Element():
            return when
        case w.AssociationIs():
            return known.get(when, when)
        case w.Not():
            inner = folded(when.condition, known)
            return not inner if isinstance(inner, bool) else w.Not(inner)
    decides = isinstance(when, w.Any_)
    left = []
    for condition in when.conditions:
        inner = folded(condition, known)
        if inner is decides:
            return decides
        if not isinstance(inner, bool):
            left.append(inner)
    if len(left) < 2:
        return left[0] if left else not decides
    return type(when)(tuple(left))


class Dispatch:
    """Conditions by number, such as those of the routes in file order, each `folded`."""

    def __init__(self, conditions: Mapping[int, w.When | bool], timezone: ZoneInfo | None) -> None:
        self._always = {number for number, when in conditions.items() if when is True}
        asked = {n: when for n, when in conditions.items() if not isinstance(when, bool)}
        self._holds = cache(lambda number: predicate(asked[number], timezone))
        self._texts: dict[Path, _Texts] = {}
        shared: dict[w.When, list[int]] = {}
        for number, needs in _chosen(asked).items():
            for need in needs:
                if isinstance(need, _Text):
                    self._texts.setdefault(need.path, _Texts(need.path)).file(need, number)
                else:
                    shared.setdefault(need, []).append(number)
        self._shared = [(predicate(when, timezone), numbers) for when, numbers in shared.items()]

    def holding(self, facts: Facts) -> list[int]:
        """The numbers of the conditions that hold, in their order."""
        found: set[int] = set()
        for texts in self._texts.values():
            texts.find(facts, found)
        for holds, numbers in self._shared:
            if holds(facts):
                found.update(numbers)
        return sorted({number for number in found if self._holds(number)(facts)} | self._always)


class _Texts:
    """What is asked of the texts of one element, and by which conditions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_name = is_name(path)
        self._filed: dict[str, dict[str, list[int]]] = {"word": {}, "part": {}, "value": {}}

    def file(self, need: _Text, number: int) -> None:
        self._filed[need.kind].setdefault(need.text, []).append(number)

    def find(self, facts: Facts, found: set[int]) -> None:
        words, parts, values = self._filed.values()
        if words or parts:
            for text in facts.folded(self._path, self._is_name):
                found.update(words.get(text, ()))
                for part, numbers in parts.items():
                    if part in text:
                        found.update(numbers)
        if values:
            for value in facts.values(self._path) or ():
                found.update(values.get(value.strip(" \0"), ()))


def _chosen(conditions: Mapping[int, w.When]) -> dict[int, _Needs]:
    """Of what each condition needs that which it has in common with the fewest others."""
    needs = {id(leaf): _needs(leaf) for when in conditions.values() for leaf in _leaves(when)}
    counts = Counter(
        need for when in conditions.values() for leaf in _leaves(when) for need in needs[id(leaf)]
    )

    def cost(of: _Needs) -> tuple[bool, int]:
        """What has to be asked is the cheaper the more need it; texts are only looked up."""
        several = sum(counts[need] for need in of)
        has_question = not all(isinstance(need, _Text) for need in of)
        return has_question, -several if has_question else several

    def choose(when: w.When) -> _Needs:
        match when:
            case w.All():
                return min((choose(each) for each in when.conditions), key=cost)
            case w.Any_():
                return frozenset().union(*(choose(each) for each in when.conditions))
        return needs[id(when)]

    return {number: choose(when) for number, when in conditions.items()}


def _leaves(when: w.When) -> Iterator[w.When]:
    """What neither `all` nor `any` combines."""
    match when:
        case w.All() | w.Any_():
            for condition in when.conditions:
                yield from _leaves(condition)
        case _:
            yield when


def _needs(leaf: w.When) -> _Needs:
    texts = [_text(leaf.path, test) for test in leaf.tests] if isinstance(leaf, w.Element) else []
    found = frozenset(text for text in texts if text)
    return found if texts and None not in texts else frozenset((leaf,))


def _text(path: Path, test: w.Test) -> _Text | None:
    """What a value that meets the test has; None where nothing is certain."""
    match test:
        case w.Exact(value):
            return _Text("value", path, value)
        case w.Text(pattern, exact=False):
            compared = as_compared(pattern, is_name(path))
            part = max(_WILD.split(compared), key=len)
            return _Text("word" if part == compared else "part", path, part) if part else None
    return None
