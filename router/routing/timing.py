"""How long plugins take: measured in the workers, summed up in the router."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Plugin, hook, seconds.
Call = tuple[str, str, float]


@dataclass(frozen=True)
class Timed:
    """What a worker answers, and how long the hooks that led to it took."""

    outcome: Any
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class PluginTime:
    """How often a hook of a plugin was called since the router started, and its time in seconds."""

    plugin: str
    hook: str
    calls: int
    total: float
    longest: float


class Stopwatch:
    """Told what begins, it knows how long what went before has taken."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._running: tuple[str, str, float] | None = None

    def begin(self, plugin: str, hook: str) -> None:
        """The hook begins; "" for both: none does. What a start takes is no matter of every day."""
        now = time.perf_counter()
        if self._running is not None:
            before, called, since = self._running
            self._calls.append((before, called, now - since))
        self._running = (plugin, hook, now) if plugin and hook != "startup" else None

    def take(self) -> tuple[Call, ...]:
        """What was measured since the last time."""
        self.begin("", "")
        calls, self._calls = tuple(self._calls), []
        return calls


class PluginTimes:
    """The sum of it; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], PluginTime] = {}

    def note(self, calls: Iterable[Call]) -> None:
        with self._lock:
            for plugin, hook, seconds in calls:
                known = self._times.get((plugin, hook)) or PluginTime(plugin, hook, 0, 0.0, 0.0)
                self._times[plugin, hook] = PluginTime(
                    plugin,
                    hook,
                    known.calls + 1,
                    known.total + seconds,
                    max(known.longest, seconds),
                )

    def taken_from(self, answer: object) -> object:
        """What a worker has answered, its times noted."""
        if not isinstance(answer, Timed):
            return answer
        self.note(answer.calls)
        return answer.outcome

    def report(self) -> Sequence[PluginTime]:
        """By plugin, in the order in which they were first called."""
        with self._lock:
            return tuple(self._times.values())
