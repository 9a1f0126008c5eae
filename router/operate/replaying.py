"""Retained instances through a candidate configuration: what would become of them instead."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.dataset import rescan
from router.operate.explaining import Explainer
from router.operate.given import Given, Sender
from router.spool.records import Processed
from router.spool.retrieves import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.config import Config
    from router.operate.explanation import Explanation, RouteWay
    from router.spool import DoneCopy, Retained, RetainedInstances

_EXAMPLES = 3
Place = tuple[str, str, str]  # route, destination, what would change there


@dataclass
class Change:
    """Instances whose fate at one place would change alike: how many, and some of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, sop_instance_uid: str) -> None:
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(sop_instance_uid)


@dataclass
class Replay:
    """What would change, and where: a destination of "" is the route itself.

    `gone` were no longer there when their turn came.
    """

    replayed: int = 0
    unchanged: int = 0
    gone: int = 0
    changes: dict[Place, Change] = field(default_factory=lambda: defaultdict(Change))


def replay(config: Config, retained: RetainedInstances, told: Callable[[], None]) -> Replay:
    """Explain every one by `config` and compare; `told` after each."""
    found = Replay()
    with Explainer(config, len(retained)) as explainer:
        for changes in explainer.each(retained, lambda each: _explain(explainer, each)):
            told()
            if changes is None:
                continue
            found.replayed += 1
            found.unchanged += not changes
            for uid, change in changes:
                found.changes[change].add(uid)
    found.gone = len(retained) - found.replayed
    return found


def _explain(explainer: Explainer, retained: Retained) -> list[tuple[str, Place]] | None:
    """The changes of one instance with its UID; None when its file has gone."""
    arrival = retained.arrival
    if not _of_routes(retained) and (retained.copies or arrival.move_originator):
        return []  # it came for a retrieve only
    stored, association = arrival.stored, arrival.association
    try:
        bulk = None if stored.problem else stored.bulk
        scan = rescan(stored.path, stored.offset, stored.length, arrival.transfer_syntax, bulk)
    except OSError:
        return None
    given = Given(
        name=arrival.sop_instance_uid,
        stored=stored,
        scan=scan,
        sop_class_uid=arrival.sop_class_uid,
        sop_instance_uid=arrival.sop_instance_uid,
        study_instance_uid=arrival.study_instance_uid,
        series_instance_uid=arrival.series_instance_uid,
        sender=Sender(
            association.calling_ae_title,
            association.called_ae_title,
            association.address,
            association.listener,
        ),
        received=arrival.received,
    )
    explanation = explainer.explain(given, detailed=False)
    changes = [(arrival.sop_instance_uid, each) for each in _changes(retained, explanation)]
    explainer.clean(explanation)
    return changes


def _changes(retained: Retained, explanation: Explanation) -> Iterator[Place]:
    """What differs from what was done: (route, destination, what)."""
    for verdict in explanation.refused:
        if verdict.said_by != "routes":
            yield "", "", f"would be refused: {verdict.reason} ({verdict.said_by})"
    before = {copy.route: copy for copy in _of_routes(retained)}
    after = {way.route: way for way in explanation.routes if way.applies}
    if before and explanation.unmatched:
        yield "", "", f"no route would take it: {explanation.unmatched}"
    for route in dict.fromkeys((*before, *after)):
        yield from _of_route(route, before.get(route), after.get(route), retained)


def _of_routes(retained: Retained) -> list[DoneCopy]:
    """Without the copies that were made for somebody's retrieve."""
    return [copy for copy in retained.copies if not any(map(number_of, copy.destinations))]


def _of_route(
    route: str, before: DoneCopy | None, after: RouteWay | None, retained: Retained
) -> Iterator[Place]:
    if before is None:
        yield route, "", "would apply"
    elif after is None:
        yield route, "", "would not apply"
    elif _state(before) not in (after.state, "received"):
        yield route, "", f"would be {after.state}, was {_state(before)}"
    went = _destinations(before)
    goes = after.destinations if after and after.state == "processed" else ()
    for name in (name for name in went if name not in goes):
        yield route, name, "would not get it"
    for name in (name for name in goes if name not in went):
        yield route, name, "would get it"
    if before and after and _changed(before, after, retained):
        for name in (name for name in goes if name in went):
            yield route, name, "would get other content"


def _state(copy: DoneCopy) -> str:
    """What a person discarded had been held; `received` is not processed yet."""
    return "held" if copy.state == "discarded" else copy.state


def _destinations(copy: DoneCopy | None) -> tuple[str, ...]:
    return copy.destinations if copy and copy.state in ("processed", "received") else ()


def _changed(before: DoneCopy, after: RouteWay, retained: Retained) -> bool:
    """Whether the chain would make something else of it, as far as that is known."""
    outcome = after.chain.outcome if after.chain else None
    if before.state != "processed" or not isinstance(outcome, Processed):
        return False
    if outcome.segments is None or not before.changed:
        return before.changed or outcome.segments is not None
    contents = {before.content, retained.content(outcome.segments)}
    return None not in contents and len(contents) > 1
