"""One instance's way through a configuration's chains, each run only to be explained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from router.config import DicomDestination, PluginDestination
from router.delivery.transcoding import forms
from router.instance import Destination
from router.intake.planning import is_source
from router.operate.actions import address
from router.operate.explanation import Leaving, RouteWay, Unasked
from router.routing import Facts
from router.routing.explain import Arriving, Asked, Explained
from router.routing.matching import predicate
from router.routing.processor import unchanged
from router.routing.reasons import reasons
from router.routing.worker import Outgoing
from router.spool.records import CopyTask, DeliveryTask, Processed
from router.spool.settling import Candidate, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from router.config import AnyDestination, ChainEntry, Config, Route
    from router.instance import Association
    from router.operate.given import Given
    from router.routing import ChainSpec, Routes, WorkerPool


@dataclass(frozen=True)
class Bench:
    """What instances are tried on: routes, chains, workers, and a directory to throw away."""

    config: Config
    routes: Routes
    route_chains: Mapping[str, ChainSpec]
    destination_chains: Mapping[str, ChainSpec]
    listener_chains: Mapping[str, ChainSpec]
    pool: WorkerPool
    directory: Path
    numbers: Iterator[int]


@dataclass(frozen=True)
class Asking:
    """One instance and who sends it; `numbers` are of the files that its chains may have made."""

    bench: Bench
    given: Given
    association: Association
    detailed: bool
    numbers: list[int] = field(default_factory=list)

    def listener(self) -> Explained | None:
        """What the listener's chain says; None where it has none."""
        spec = self.bench.listener_chains.get(self.association.listener)
        if spec is None or not spec.links:
            return None
        return self.bench.pool.explain(spec, Asked(Arriving(self._task("", ())), detailed=False))

    def routes(self) -> tuple[RouteWay, ...]:
        """Every route, in file order."""
        given = self.given
        matches = self.bench.routes.match(self.association, given.scan, given.received)
        matched = [match.route.name for match in matches]
        facts = Facts(self.association, given.scan, given.received)
        return _settled([self._route(route, matched, facts) for route in self.bench.config.routes])

    def _route(self, route: Route, matched: list[str], facts: Facts) -> RouteWay:
        applies = route.name in matched
        way = RouteWay(route.name, route.position, applies, to=self._to(route))
        if route.when is None:
            way = replace(way, because="it has no `when`")
        elif isinstance(route.when, str):
            verb = "applies" if len(matched) == 1 else "apply"
            others = "no other route applies" if applies else f"{', '.join(matched)} {verb}"
            way = replace(way, because=others)
        else:
            decided = tuple(reasons(route.when, facts, self.bench.config.timezone))
            way = replace(way, reasons=decided, because="" if decided else "its `when` is empty")
        if not applies:
            return way
        explained = self._chain(route)
        way = replace(way, chain=explained, unasked=tuple(self._unasked(route.chain, facts)))
        if isinstance(explained.outcome, Processed):
            leaving = tuple(self._leaving(route, explained, explained.outcome))
            return replace(way, leaving=leaving)
        return way

    def _chain(self, route: Route) -> Explained:
        spec = self.bench.route_chains[route.name]
        task = self._task(route.name, self._to(route))
        if not spec.links:
            return Explained(unchanged(task))
        return self.bench.pool.explain(spec, Asked(task, self.detailed))

    def _unasked(self, chain: tuple[ChainEntry, ...], facts: Facts) -> Iterator[Unasked]:
        timezone = self.bench.config.timezone
        for entry in chain:
            if entry.when is not None and not predicate(entry.when, timezone)(facts):
                decided = tuple(reasons(entry.when, facts, timezone))
                yield Unasked(entry.plugin.name, entry.position, decided)

    def _leaving(self, route: Route, explained: Explained, outcome: Processed) -> Iterator[Leaving]:
        added = {
            name: step.plugin
            for step in explained.steps
            if step.hook == "forward_instance"
            for name in step.answer.split(", ")
        }
        for name in dict.fromkeys((*route.to, *outcome.destinations)):
            settings = self.bench.config.destinations[name]
            plugin = "" if name in route.to else added.get(name, "")
            leaving = Leaving(name, address(settings), _forms(settings, outcome), plugin)
            if self._is_source(name):
                yield replace(leaving, left_out="it came from there")
            else:
                chain, fallbacks = (
                    self._outgoing(name, route, outcome),
                    tuple(self._fallbacks(name)),
                )
                yield replace(leaving, chain=chain, fallbacks=fallbacks)

    def _fallbacks(self, name: str) -> Iterator[str]:
        while fallback := self.bench.config.destinations[name].fallback:
            yield fallback
            name = fallback

    def _to(self, route: Route) -> tuple[str, ...]:
        return tuple(name for name in route.to if not self._is_source(name))

    def _is_source(self, destination: str) -> bool:
        return is_source(self.association, destination, self.bench.config)

    def _outgoing(self, name: str, route: Route, outcome: Processed) -> Explained | None:
        spec = self.bench.destination_chains[name]
        if not spec.links:
            return None
        settings = self.bench.config.destinations[name]
        options = settings.options if isinstance(settings, PluginDestination) else None
        task = self._delivery(name, route, outcome)
        workspace = self.bench.directory / "outgoing" / str(task.delivery_id)
        outgoing = Outgoing(task, Destination(name, settings.type, options or {}), workspace)
        return self.bench.pool.explain(spec, Asked(outgoing, self.detailed))

    def _number(self) -> int:
        self.numbers.append(next(self.bench.numbers))
        return self.numbers[-1]

    def _task(self, route: str, to: tuple[str, ...]) -> CopyTask:
        given = self.given
        return CopyTask(
            copy_id=self._number(),
            instance_id=0,
            route=route,
            destinations=to,
            attempts=0,
            stored=given.stored,
            transfer_syntax=given.transfer_syntax,
            sop_class_uid=given.sop_class_uid,
            sop_instance_uid=given.sop_instance_uid,
            study_instance_uid=given.study_instance_uid,
            series_instance_uid=given.series_instance_uid,
            association=self.association,
            received=given.received,
            generation=0,
            move_originator=None,
        )

    def _delivery(self, name: str, route: Route, outcome: Processed) -> DeliveryTask:
        given = self.given
        return DeliveryTask(
            delivery_id=self._number(),
            instance_id=0,
            destination=name,
            route=route.name,
            segments=outcome.segments or (given.range,),
            size=0,
            bulk=None if outcome.segments else given.stored.bulk,
            problem=given.stored.problem,
            transfer_syntax=outcome.transfer_syntax,
            sop_class_uid=outcome.sop_class_uid,
            sop_instance_uid=outcome.sop_instance_uid,
            study_instance_uid=outcome.study_instance_uid,
            series_instance_uid=outcome.series_instance_uid,
            association=self.association,
            received=given.received,
            first_queued=given.received,
            attempts=0,
            refusals=0,
            move_originator=None,
        )


def _forms(settings: AnyDestination, outcome: Processed) -> tuple[str, ...]:
    """The transfer syntaxes the copy may leave in, best first."""
    if not isinstance(settings, DicomDestination):
        return (outcome.transfer_syntax,)
    wanted = settings.transfer_syntaxes
    return forms(outcome.transfer_syntax, () if wanted == "as_is" else wanted)


def _settled(ways: list[RouteWay]) -> tuple[RouteWay, ...]:
    """One SOP Instance UID goes to a destination once, and waits for earlier routes' copies."""
    candidates = [
        Candidate(number, way.route, way.state, way.destinations, way.sop_instance_uid)
        for number, way in enumerate(ways)
        if way.state != "not applied"
    ]
    taken = {
        (decision.copy.copy_id, decision.destination): decision.taken_by
        for decision in settle(candidates)
    }
    return tuple(
        replace(way, leaving=tuple(_once(each, number, taken) for each in way.leaving))
        for number, way in enumerate(ways)
    )


def _once(leaving: Leaving, number: int, taken: Mapping[tuple[int, str], str | None]) -> Leaving:
    if leaving.left_out or leaving.held:
        return leaving
    if (number, leaving.destination) not in taken:
        return replace(leaving, left_out="it waits: the copy of an earlier route is held")
    by = taken[number, leaving.destination]
    return replace(leaving, left_out=f"route {by} sends this SOP Instance UID there" if by else "")
