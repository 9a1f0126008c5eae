"""A chain run to see what it would do: every hook but those that keep something, told step by step.

It runs in the worker processes, with the same plugins and time-outs as for an instance that came.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from router.dataset import scan_segments
from router.dataset.leaves import leaves
from router.instance import Refusal, Skip
from router.routing.chain import Chain
from router.routing.facts import Facts
from router.routing.failures import HookFailed
from router.spool.records import CopyOutcome, CopyTask, HeldCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.dataset.leaves import Leaf
    from router.instance import Instance
    from router.routing.chain import Link, Watch, _Call
    from router.routing.worker import Outgoing

# What a listener's chain says of an association and its instance: None is no objection.
Admission: TypeAlias = "Refusal | HeldCopy | None"

_NOT_CALLED = ("store_instance",)


@dataclass(frozen=True)
class Arriving:
    """An instance that a listener's chain is to be asked about, as if it came."""

    task: CopyTask


@dataclass(frozen=True)
class Asked:
    """What to run a chain on; `detailed`: which elements it changes is wanted too."""

    task: CopyTask | Outgoing | Arriving
    detailed: bool


@dataclass(frozen=True)
class Step:
    """One call of a plugin's hook: how long it took, in seconds, and what it answered, if it did.

    `called` is False of a hook that would keep something: it is left out.
    """

    plugin: str
    hook: str
    seconds: float
    answer: str = ""
    called: bool = True


@dataclass(frozen=True)
class Change:
    """An element that does not leave as it came; None where there is none. Values are texts."""

    path: str
    vr: str
    before: str | None
    after: str | None
    plugins: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """What a chain would make of a copy, or answer a sender, and how it got there."""

    outcome: CopyOutcome | Refusal | None
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()


class DryChain(Chain):
    """A chain of plugins that are already there, in which nothing is kept and every call noted."""

    def __init__(self, links: Iterable[Link], watch: Watch, detailed: bool) -> None:
        super().__init__(links, watch)
        self._detailed = detailed
        self._steps: list[Step] = []
        self._versions: list[tuple[str, dict[str, Leaf]]] = []  # by plugin, the first as it came

    def explained(self, outcome: CopyOutcome | Refusal | None) -> Explained:
        return Explained(outcome, tuple(self._steps), tuple(_changes(self._versions)))

    def _calls(self, hook: str, facts: Facts | None = None) -> Iterator[_Call]:
        for call in super()._calls(hook, facts):
            if hook in _NOT_CALLED:
                self._steps.append(Step(call.link.name, hook, 0, called=False))
            else:
                yield replace(call, function=self._noting(call))

    def _noting(self, call: _Call) -> Callable[..., Any]:
        def function(**arguments: Any) -> Any:  # noqa: ANN401 - a hook's
            instance = arguments.get("instance")
            rewrites = instance if call.hook.startswith("rewrite_") and self._detailed else None
            if rewrites and not self._versions:
                self._note_version("", rewrites)
            began = time.perf_counter()
            answer = None
            try:
                answer = call.function(**arguments)
                return answer
            finally:
                seconds = time.perf_counter() - began
                self._steps.append(Step(call.link.name, call.hook, seconds, _told(answer)))
                if rewrites:
                    self._note_version(call.link.name, rewrites)

        return function

    def _note_version(self, plugin: str, instance: Instance) -> None:
        try:
            segments = instance.segments
            scan = scan_segments(segments, instance.transfer_syntax)
            scan = scan.assuming(instance._source.scan.assume_character_set)
            self._versions.append((plugin, leaves(scan, segments)))
        except Exception:  # what cannot be written is the chain's failure, told when it settles
            return


def ask_listener(chain: Chain, instance: Instance) -> Admission:
    """What a listener's chain says of an association, then of its instance."""
    try:
        refusal = chain.accept_association(instance.association) or chain.accept_instance(
            instance, Facts.of(instance)
        )
    except HookFailed as failure:
        return HeldCopy(failure.reason, failure.plugin, failure.hook)
    return refusal and Refusal(str(refusal.reason), int(refusal.status))


def _told(answer: object) -> str:
    match answer:
        case None:
            return ""
        case Skip():
            return f"skip: {answer.reason}"
        case Refusal():
            return f"refuse with 0x{answer.status:04X}: {answer.reason}"
        case list():
            return ", ".join(map(str, answer))
        case str():
            return str(answer)
        case _:
            return type(answer).__name__


def _changes(versions: list[tuple[str, dict[str, Leaf]]]) -> Iterator[Change]:
    """What differs between the first version and the last, and whose doing that is."""
    if not versions:
        return
    (_, first), (_, last) = versions[0], versions[-1]
    for path in dict.fromkeys((*first, *last)):
        before, after = first.get(path), last.get(path)
        leaf = after or before
        if leaf is None or (before and after and _same(before, after)):
            continue
        by = (
            plugin
            for (_, earlier), (plugin, later) in zip(versions, versions[1:], strict=False)
            if earlier.get(path) != later.get(path)
        )
        plugins = tuple(dict.fromkeys(by))
        yield Change(path, leaf.vr, before and before.text, after and after.text, plugins)


def _same(before: Leaf, after: Leaf) -> bool:
    return (before.vr, before.content) == (after.vr, after.content)
