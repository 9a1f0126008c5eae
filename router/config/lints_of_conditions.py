"""Routes that can never apply, steps that are never asked, destinations that two routes share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from router.config import when as w
from router.config.mistakes import Mistake, Position
from router.config.reasoning import Case, Fact, always, cases, exclude
from router.config.tree import route_sections, scalars

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from router.config.model import Config, Listener, Route
    from router.config.plugin_use import ChainEntry
    from router.config.tree import Scalar, Section

_NOWHERE = Position("", 0, 0)


@dataclass
class Applying:
    """A route, and the cases in which it applies; None: `otherwise`."""

    route: Route
    section: Section
    cases: list[Case] | None = field(init=False)

    def __post_init__(self) -> None:
        when = self.route.when
        if isinstance(when, str):
            self.cases = None
        else:
            found = cases(when) if when else [Case()]
            self.cases = [case for case in found if not case.contradiction]

    def excludes(self, other: Applying) -> bool:
        """Whether no instance takes both routes."""
        if self.cases is None or other.cases is None:
            return self.cases is not other.cases
        return exclude(self.cases, other.cases)

    @cached_property
    def values(self) -> dict[Hashable, frozenset[str]]:
        """What has one of few values in all that takes the route, and these."""
        several = [case.values for case in self.cases or ()]
        common = set(several[0]).intersection(*several) if several else set()
        return {key: frozenset().union(*(each[key] for each in several)) for key in common}

    def to(self, destination: str) -> Scalar:
        """Where the route names the destination."""
        return next(node for node in scalars(self.section.get("to")) if node.raw == destination)


def condition_lints(root: Section, config: Config) -> Iterator[Mistake]:
    """The lints about conditions of a configuration without mistakes."""
    routes = [
        Applying(route, section)
        for route, section in zip(config.routes, route_sections(root), strict=True)
    ]
    let_in = [_let_in(name, each) for name, each in config.listeners.items()]
    for each in routes:
        yield from _never_applying(each, let_in)
        yield from _never_asked(each)
    yield from _shadowed(routes)
    yield from _shared(routes)


def deidentifies(chain: Iterable[ChainEntry]) -> bool:
    """Whether every copy goes through a plugin that is a deidentify by its name."""
    return any("deidentify" in step.plugin.use.casefold() and not step.when for step in chain)


def changes_uid(chain: Iterable[ChainEntry]) -> bool:
    """Whether what leaves the chain may be an instance of its own."""
    return deidentifies(chain) or any(_names_uid(step.plugin.options) for step in chain)


def _names_uid(options: object) -> bool:
    if isinstance(options, dict | list | tuple):
        below = options.values() if isinstance(options, dict) else ()
        return any(map(_names_uid, [*options, *below]))
    return options in ("SOPInstanceUID", "(0008,0018)")


def _let_in(name: str, listener: Listener) -> Case:
    """What is known of every association of a listener, in the words of conditions."""
    known: dict[w.Attribute, Iterable[w.Test]] = {
        "listener": (w.Exact(name),),
        "called_ae_title": (w.Text(title, exact=True) for title in listener.ae_title),
    }
    if accept := listener.accept:
        titles = accept.calling_ae_titles
        known["calling_ae_title"] = (w.Text(title, exact=True) for title in titles)
        known["address"] = map(w.Network, accept.networks)
        if accept.peers == "all":
            known["peer"] = (w.Exists(True),)
        elif accept.peers:
            known["peer"] = map(w.Exact, accept.peers)
    return Case(
        tuple(
            Fact(w.AssociationIs(attribute, tuple(tests), "", _NOWHERE), True)
            for attribute, tests in known.items()
        )
    )


def _never_applying(applying: Applying, let_in: list[Case]) -> Iterator[Mistake]:
    when = applying.route.when
    node = applying.section.get("when")
    if not isinstance(when, w.All) or node is None:
        return
    if not applying.cases:
        found = next(iter(cases(when)), None)
        facts = found.contradiction if found else None
        position = facts[1].leaf.position if facts else node.position
        yield _lint(position, node.path, f"never applies: {_why(facts)}")
    elif let_in and all(case.contradicts(known) for case, known in product(applying.cases, let_in)):
        message = (
            "never applies: no listener lets in what it asks of the association: change either"
        )
        yield _lint(node.position, node.path, message)


def _why(facts: tuple[Fact, Fact] | None) -> str:
    if facts is None:
        return "nothing meets these conditions"
    one, other = facts
    if one is other:
        return f"nothing meets {one}"
    return f"nothing meets both {one} and {other}: change one of them"


def _never_asked(applying: Applying) -> Iterator[Mistake]:
    """Steps whose `when` nothing meets that takes the route."""
    for step in applying.route.chain:
        if step.when is None or not applying.cases:
            continue
        asked = [case for case in cases(step.when) if not case.contradiction]
        if exclude(asked, applying.cases):
            name = step.plugin.name
            message = f"'{name}' is never asked: the route takes nothing that meets this `when`"
            yield _lint(step.position, step.path, message)


def _shadowed(routes: list[Applying]) -> Iterator[Mistake]:
    """`otherwise` where other routes take everything."""
    others = [each for each in routes if each.cases is not None]
    for each in routes:
        node = each.section.get("when")
        if each.cases is not None or node is None:
            continue
        if whole := next((o for o in others if _takes_all(o.route)), None):
            which = "which has no `when`" if whole.route.when is None else "which always applies"
            message = f"never applies: {whole.section.path}, {which}, takes everything"
        elif always(o.route.when for o in others if isinstance(o.route.when, w.All)):
            message = "never applies: the other routes together take everything"
        else:
            continue
        yield _lint(node.position, node.path, message)


def _takes_all(route: Route) -> bool:
    return route.when is None or (isinstance(route.when, w.All) and always([route.when]))


def _shared(routes: list[Applying]) -> Iterator[Mistake]:
    """Destinations where what one instance becomes on two routes arrives once."""
    leading: dict[str, list[Applying]] = {}
    for each in routes:
        for destination in dict.fromkeys(each.route.to):
            leading.setdefault(destination, []).append(each)
    for destination, several in leading.items():
        shared = [
            (first, each)
            for each, before in _with_comparable(several)
            if (first := next((o for o in before if _is_shared(o, each)), None))
        ]
        if shared:
            first, second = shared[0]
            more = len(shared) - 1
            likewise = f"; {more} more route{'s' * (more > 1)} likewise" if more else ""
            node = second.to(destination)
            yield _lint(
                node.position,
                node.path,
                f"route '{first.route.name}' leads to '{destination}' too: an instance that takes "
                f"both goes there once, as '{first.route.name}' made it{likewise}",
            )


def _with_comparable(several: list[Applying]) -> Iterator[tuple[Applying, list[Applying]]]:
    """Each route with those before it that are not apart by what they differ in most.

    Thousands of routes by AE title, say, are not compared each with each.
    """
    known: defaultdict[Hashable, set[str]] = defaultdict(set)
    for each in several:
        for key, values in each.values.items():
            known[key] |= values
    most = max(known, key=lambda key: len(known[key]), default=None)
    seen: list[Applying] = []
    free: list[Applying] = []
    by_value: defaultdict[str, list[Applying]] = defaultdict(list)
    for each in several:
        if most not in each.values:
            yield each, seen
            free.append(each)
        else:
            same = {id(o): o for value in each.values[most] for o in by_value[value]}
            yield each, sorted([*free, *same.values()], key=lambda o: o.route.position)
            for value in each.values[most]:
                by_value[value].append(each)
        seen.append(each)


def _is_shared(one: Applying, other: Applying) -> bool:
    """Whether an instance can take both routes, and leave them with the same UID."""
    same_uid = changes_uid(one.route.chain) == changes_uid(other.route.chain)
    return same_uid and not other.excludes(one)


def _lint(position: Position, path: str, message: str) -> Mistake:
    return Mistake(position, path, message, "lint")
