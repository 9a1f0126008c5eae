"""Which routes an instance takes: what the association decides is decided once for its like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from router.config import when as w
from router.routing.dispatch import Dispatch, folded
from router.routing.facts import Facts, character_sets
from router.routing.matching import predicate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from router.config import Config, Route
    from router.dataset import Scan
    from router.instance import Association

_SENDERS = 1024  # whose answers are kept
_KINDS = 64  # of senders that the same conditions apply to


@dataclass(frozen=True)
class Match:
    """A route that applies, and to what."""

    route: Route
    facts: Facts


class Routes:
    """The routes of one configuration, in file order."""

    def __init__(self, config: Config) -> None:
        self._routes = config.routes
        self._timezone = config.timezone
        self._conditions = {
            number: w.All(()) if route.when is None else route.when
            for number, route in enumerate(config.routes)
            if not isinstance(route.when, str)
        }
        leaves = {leaf for when in self._conditions.values() for leaf in _of_association(when)}
        self._leaves = [(leaf, predicate(leaf, config.timezone)) for leaf in leaves]
        self._otherwise = [route for route in config.routes if isinstance(route.when, str)]
        self._by_sender = lru_cache(_SENDERS)(self._dispatch_of)
        self._by_answers = lru_cache(_KINDS)(self._dispatch)
        self.character_sets = character_sets(config)

    def match(self, association: Association, scan: Scan, received: datetime) -> list[Match]:
        """The routes that apply, in file order; those for `otherwise` when no other does."""
        facts = Facts(association, scan, received)
        numbers = self._by_sender(association).holding(facts)
        found = [Match(self._routes[number], facts) for number in numbers]
        return found or [Match(route, facts) for route in self._otherwise]

    def _dispatch_of(self, association: Association) -> Dispatch:
        facts = Facts(association, None, association.started)
        return self._by_answers(tuple(holds(facts) for _, holds in self._leaves))

    def _dispatch(self, answers: tuple[bool, ...]) -> Dispatch:
        known = {leaf: holds for (leaf, _), holds in zip(self._leaves, answers, strict=True)}
        left = {number: folded(when, known) for number, when in self._conditions.items()}
        return Dispatch(left, self._timezone)


def _of_association(when: w.When) -> Iterator[w.AssociationIs]:
    """What is asked of the association alone, whatever the instance."""
    match when:
        case w.AssociationIs():
            if when.attribute != "time":
                yield when
        case w.Not():
            yield from _of_association(when.condition)
        case w.All() | w.Any_():
            for condition in when.conditions:
                yield from _of_association(condition)
