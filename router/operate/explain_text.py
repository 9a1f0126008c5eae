"""An explanation for people: one instance's way as text, the same on a terminal and in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from router.config import DicomDestination
from router.dataset import uid_name
from router.operate.explanation import NotExplained
from router.operate.terminal import visible
from router.operate.words import duration, size
from router.spool.records import HeldCopy, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from router.config import Config
    from router.operate.explanation import Explanation, Leaving, RouteWay
    from router.routing.explain import Change, Explained, Step
    from router.routing.reasons import Reason

_WIDTH = 1000  # columns where there is no terminal: lines for grep are not wrapped
_LONGEST = 64  # characters of a value
_GOOD, _BAD, _QUIET = "green", "bold red", "dim"
_HIDDEN = "(hidden)"


def console() -> Console:
    """What explanations are printed on."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH)


def render(
    explanation: Explanation | NotExplained, config: Config, show_values: bool
) -> RenderableType:
    """The whole way. Values that may name a patient are hidden unless `show_values`."""
    if isinstance(explanation, NotExplained):
        return Text(visible(f"{explanation.name}: not explained: {explanation.reason}") + "\n")
    return Group(*_Page(config, show_values).lines(explanation))


class _Page:
    def __init__(self, config: Config, show_values: bool) -> None:
        self._config = config
        self._show_values = show_values

    def lines(self, explanation: Explanation) -> Iterator[RenderableType]:
        given, association = explanation.given, explanation.association
        yield Text(visible(given.name), "bold", no_wrap=True, overflow="ignore")
        kind = uid_name(given.sop_class_uid) or "no SOP class"
        what = f"{kind}, {uid_name(given.transfer_syntax)}, {size(given.stored.length)}"
        peer = f", peer {association.peer}" if association.peer else ""
        yield _indented(
            f"{what}; from {association.calling_ae_title} at {association.address} to "
            f"{association.called_ae_title}{peer}"
        )
        if given.scan.problem:
            yield _indented(
                f"its data set cannot be walked to its end ({given.scan.problem.reason}): no chain "
                "may change it",
                _BAD,
            )
        yield from self._intake(explanation)
        for route in explanation.routes:
            yield from self._route(route)
        if explanation.unmatched and explanation.unmatched != "refuse":
            told = {"hold": "it would be held", "discard": "it would be discarded"}
            why = f"no route takes it: {told[explanation.unmatched]} (unmatched)"
            yield _indented(why, _BAD)
        yield Text()

    def _intake(self, explanation: Explanation) -> Iterator[RenderableType]:
        listener = explanation.association.listener
        if listener not in self._config.listeners:
            named = f"no listener {listener}" if listener else "no listener"
            yield _indented(f"{named} in this configuration: who may send is not judged", _QUIET)
        elif not explanation.refused:
            yield _indented(f"let in by listener {listener}", _GOOD)
        for verdict in explanation.refused:
            what = "association rejected" if verdict.status is None else "instance refused"
            status = "" if verdict.status is None else f" with 0x{verdict.status:04X}"
            yield _indented(f"{what}{status}: {verdict.reason} ({verdict.said_by})", _BAD)
        if explanation.admission:
            yield _indented(self._steps(explanation.admission), depth=4)

    def _route(self, route: RouteWay) -> Iterator[RenderableType]:
        mark = {"processed": "+", "skipped": "-", "held": "!", "not applied": "-"}[route.state]
        style = {"processed": _GOOD, "held": _BAD}.get(route.state, _QUIET)
        where = f"{route.position.file}:{route.position.line}"
        yield _indented(Text.assemble((f"{mark} route {route.route}", style), f"  {where}"))
        verb = "applies" if route.applies else "does not apply"
        if route.because:
            yield _indented(f"{verb}: {route.because}", depth=6)
        for number, reason in enumerate(route.reasons):
            yield _indented(f"{verb if not number else 'and'}: {self._reason(reason)}", depth=6)
        if route.chain is None:
            return
        if route.chain.steps or route.unasked:
            yield _indented(self._chain(route), depth=6)
        yield from self._outcome(route.chain)
        yield from self._changes(route.chain)
        for leaving in route.leaving:
            yield from self._leaving(leaving)
        settings = next(each for each in self._config.routes if each.name == route.route)
        if route.destinations and settings.deliver == "study_complete":
            yield _indented("once its study is complete", depth=6)
        if route.state == "processed" and not route.leaving:
            yield _indented("goes to no destination", depth=6)

    def _chain(self, route: RouteWay) -> Table:
        assert route.chain
        table = self._steps(route.chain)
        for unasked in route.unasked:
            why = "; ".join(map(self._reason, unasked.reasons))
            _add(table, unasked.plugin, "", "", f"not asked: {why}")
        return table

    def _steps(self, explained: Explained) -> Table:
        table = Table.grid(padding=(0, 2))
        for step in explained.steps:
            _add(table, step.plugin, step.hook, _time(step), _answer(step, explained))
        return table

    def _outcome(self, explained: Explained, depth: int = 6) -> Iterator[RenderableType]:
        outcome = explained.outcome
        if isinstance(outcome, Skipped):
            yield _indented(f"skipped by {outcome.plugin}: {outcome.reason}", depth=depth)
        elif isinstance(outcome, HeldCopy):
            where = f" by {outcome.plugin} ({outcome.hook})" if outcome.plugin else ""
            again = outcome.retry_after
            later = f"; tried again after {duration(again)}" if again else ""
            yield _indented(f"held{where}: {outcome.reason}{later}", _BAD, depth=depth)

    def _changes(self, explained: Explained, depth: int = 6) -> Iterator[RenderableType]:
        if not explained.changes:
            return
        table = Table.grid(padding=(0, 2))
        for change in explained.changes:
            by = f"by {', '.join(change.plugins)}"
            _add(table, change.path, change.vr, self._values(change), by)
        yield _indented(table, depth=depth)

    def _values(self, change: Change) -> str:
        if change.before is None:
            return f"added {self._value(change.after)}".rstrip()
        if change.after is None:
            return f"removed {self._value(change.before)}".rstrip()
        if not change.after:
            return f"emptied {self._value(change.before)}".rstrip()
        if not self._show_values:
            return "changed"
        return f"{_clipped(change.before) or '(empty)'} -> {_clipped(change.after)}"

    def _value(self, text: str | None) -> str:
        return _clipped(text or "") if self._show_values else ""

    def _leaving(self, leaving: Leaving) -> Iterator[RenderableType]:
        to = f"to {leaving.destination} ({leaving.where})"
        if leaving.added_by:
            to += f", added by {leaving.added_by}"
        if leaving.left_out:
            yield _indented(f"not {to}: {leaving.left_out}", _QUIET, depth=6)
            return
        settings = self._config.destinations[leaving.destination]
        negotiated = _forms(leaving, isinstance(settings, DicomDestination))
        yield _indented(f"{to}, {negotiated}", depth=6)
        if leaving.fallbacks:
            others = ", or if that is down too ".join(leaving.fallbacks)
            yield _indented(f"while that is down, to its fallback {others}", _QUIET, depth=10)
        if leaving.chain:
            yield _indented(self._steps(leaving.chain), depth=10)
            yield from self._outcome(leaving.chain, depth=10)
            yield from self._changes(leaving.chain, depth=10)

    def _reason(self, reason: Reason) -> str:
        """A condition with its line, and what was found."""
        where = f"{reason.position.file}:{reason.position.line} {reason.condition}"
        if reason.found is None:
            found = "it is missing"
        elif not reason.found:
            found = "it is empty"
        elif reason.of_patient and not self._show_values:
            found = f"the value is {_HIDDEN}"
        else:
            found = f"it is {', '.join(reason.found)}"
        return f"{where} {'holds' if reason.holds else 'does not hold'}: {found}"


def _indented(told: str | Text | Table, style: str = "", depth: int = 2) -> Padding:
    shown = Text(visible(told), style) if isinstance(told, str) else told
    return Padding(shown, (0, 0, 0, depth), expand=False)


def _add(table: Table, *texts: str) -> None:
    """A row of texts: what comes from files is no markup."""
    table.add_row(*(Text(visible(text)) for text in texts))


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _time(step: Step) -> str:
    return f"{step.seconds * 1000:.1f} ms" if step.called else ""


def _answer(step: Step, explained: Explained) -> str:
    """What a hook said, or what its silence means."""
    if not step.called:
        return "not called here: it would keep the copy"
    if step.answer:
        return f"adds {step.answer}" if step.hook == "forward_instance" else step.answer
    outcome = explained.outcome
    if step is explained.steps[-1] and isinstance(outcome, HeldCopy) and step.hook == outcome.hook:
        return "raised"
    if step.hook.startswith("rewrite_"):
        changed = sum(step.plugin in change.plugins for change in explained.changes)
        return f"changes {changed} {'element' if changed == 1 else 'elements'}"
    return {"filter_instance": "lets it through", "forward_instance": "adds none"}.get(
        step.hook, "no objection"
    )


def _forms(leaving: Leaving, negotiated: bool) -> str:
    """In what transfer syntax it leaves, as far as that does not depend on the peer."""
    first, *others = map(uid_name, leaving.transfer_syntaxes)
    if not negotiated or not others:
        return f"as {first}"
    return f"as {first}, or as {' or '.join(others)} if it does not take that"
