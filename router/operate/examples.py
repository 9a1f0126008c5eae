"""Runs a configuration's `tests:`: each example explained and compared with what it expects."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.config.when import Text
from router.dataset import scan_segments
from router.operate.explaining import Explainer
from router.operate.given import made_given
from router.routing import Facts
from router.routing.matching import predicate
from router.routing.reasons import reasons
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.config import Config, Example, Position
    from router.operate.explanation import Explanation, RouteWay
    from router.routing.reasons import Reason


@dataclass(frozen=True)
class Failure:
    """One expectation that was not met: where it stands, and what came instead."""

    position: Position
    message: str


@dataclass(frozen=True)
class Result:
    """What came of one example; without failures it passed."""

    example: Example
    failures: tuple[Failure, ...]


def run_examples(
    config: Config, examples: list[Example], told: Callable[[Result], None]
) -> list[Result]:
    """Explain them all, in their order; `told` of each as soon as those before it are."""
    found: list[Result] = []
    with Explainer(config, len(examples)) as explainer:
        for result in explainer.each(examples, lambda example: _run(explainer, example)):
            told(result)
            found.append(result)
    return found


def _run(explainer: Explainer, example: Example) -> Result:
    with tempfile.TemporaryDirectory(dir=explainer.directory) as directory:
        try:
            given = made_given(example, Path(directory))
        except (ValueError, OSError) as error:
            key = "file" if example.file is not None else "header"
            why = error.strerror if isinstance(error, OSError) else str(error)
            return Result(example, (Failure(_position(example, key), f"{key}: {why}"),))
        explanation = explainer.explain(given, detailed=False)
        failures = tuple(_Comparison(example, explanation, explainer.config).failures())
        explainer.clean(explanation)
    return Result(example, failures)


class _Comparison:
    def __init__(self, example: Example, explanation: Explanation, config: Config) -> None:
        self._example = example
        self._expect = example.expect
        self._explanation = explanation
        self._config = config

    def failures(self) -> Iterator[Failure]:
        expect, ways = self._expect, self._explanation.routes
        refused = self._explanation.refused
        if bool(refused) != expect.refused:
            told = "; ".join(f"{verdict.reason} ({verdict.said_by})" for verdict in refused)
            yield self._failure("refused", f"it is refused: {told}" if told else "it is let in")
        applying = [way.route for way in ways if way.applies]
        if expect.routes is not None:
            yield from self._names("routes", expect.routes, applying)
        elif not applying and not refused:
            yield self._failure("routes", "no route takes it")
        for key, state, names in (
            ("skipped", "skipped", expect.skipped),
            ("held", "held", expect.held),
        ):
            found = [way for way in ways if way.state == state or (key == "held" and way.holds)]
            yield from self._names(key, names, [way.route for way in found], _why(found))
        if expect.destinations is not None:
            going = (name for way in ways if way.state == "processed" for name in way.destinations)
            yield from self._names("destinations", expect.destinations, dict.fromkeys(going))
        yield from self._reason()
        for way in ways:
            yield from self._values(way)

    def _names(
        self, key: str, expected: Iterable[str], found: Iterable[str], why: str = ""
    ) -> Iterator[Failure]:
        wanted, got = list(dict.fromkeys(expected)), list(found)
        if sorted(wanted) != sorted(got):
            told = f"expected {_listed(wanted)}, got {_listed(got)}"
            yield self._failure(key, f"{key}: {told}{f' ({why})' if why else ''}")

    def _reason(self) -> Iterator[Failure]:
        if self._expect.reason is None:
            return
        said = [verdict.reason for verdict in self._explanation.refused]
        said += [_reason_of(way) for way in self._explanation.routes if _reason_of(way)]
        pattern = Text(self._expect.reason)
        if said and not any(map(pattern.matches, said)):
            yield self._failure("reason", f"reason: it is {'; '.join(said)}")

    def _values(self, way: RouteWay) -> Iterator[Failure]:
        outcome = way.chain.outcome if way.chain else None
        if not isinstance(outcome, Processed):
            return
        given, timezone = self._explanation.given, self._config.timezone
        scan = given.scan
        if outcome.segments is not None:
            scan = scan_segments(outcome.segments, outcome.transfer_syntax)
            scan = scan.assuming(given.scan.assume_character_set)
        facts = Facts(self._explanation.association, scan, given.received)
        for name in ("", way.route):
            when = self._expect.values.get(name)
            if when is None or predicate(when, timezone)(facts):
                continue
            for reason in reasons(when, facts, timezone):
                message = f"{reason.condition}: {self._found(reason)} in what leaves by {way.route}"
                yield Failure(reason.position, message)

    def _found(self, reason: Reason) -> str:
        """What there is instead: a value only where the example gave it, files are of patients."""
        if not reason.found:
            return "missing" if reason.found is None else "empty"
        if self._example.file is not None:
            return "something else"
        return repr("\\".join(reason.found))

    def _failure(self, key: str, message: str) -> Failure:
        return Failure(_position(self._example, f"expect.{key}"), message)


def _position(example: Example, key: str) -> Position:
    """Where a key stands, or what it belongs to where it is not written."""
    while key:
        if key in example.positions:
            return example.positions[key]
        key = key.rpartition(".")[0]
    return example.position


def _reason_of(way: RouteWay) -> str:
    outcome = way.chain.outcome if way.chain else None
    if isinstance(outcome, Skipped | HeldCopy):
        return outcome.reason
    return next((held.reason for held in way.holds), "")


def _why(ways: Iterable[RouteWay]) -> str:
    return "; ".join(f"{way.route}: {_reason_of(way)}" for way in ways)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
