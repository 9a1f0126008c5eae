"""Reads the configuration again when it changed or somebody asks, and has the node go by it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from router.config import ConfigError, report
from router.config.files import Files, reading
from router.config.watching import Watching
from router.operate.history import write_back
from router.routing import HookFailed, PluginError
from router.spool import SpoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from router.operate.history import History

log = logging.getLogger("router.node")


class Reloadable(Protocol):
    """What the node does for it."""

    def prepare(self, path: Path, number: int) -> Callable[[Files], None]:
        """Read the configuration and build all of it, beside what runs; what is returned has the
        node go by it. Raises ConfigError, OSError, HookFailed, PluginError, SpoolError.
        """


@dataclass(frozen=True)
class Outcome:
    """What became of a reload; `number` is of the generation that is in effect after it."""

    result: Literal["applied", "unchanged", "refused"]
    number: int
    reason: str = ""
    mistakes: str = ""  # as `check` would show them


@dataclass(frozen=True)
class Refused:
    """Why the files that are there are not in effect."""

    since: datetime
    reason: str
    mistakes: tuple[str, ...]  # all of them, without the lines they are in


class Reloading:
    """One reload at a time. What cannot be used is tried again when it has changed."""

    def __init__(self, path: Path, node: Reloadable, files: Files, history: History) -> None:
        self._path = path
        self._node = node
        self._history = history
        self._lock = threading.RLock()
        self._in_effect = self._tried = files
        self._watching = Watching(lambda: self._tried, self._changed)
        self.refused: Refused | None = None
        self.refusals = self.reloads = 0  # since the start
        self.applied = datetime.now(UTC)  # when what is in effect took effect

    def start(self) -> None:
        self._watching.start()

    def stop(self) -> None:
        self._watching.stop()
        with self._lock:
            pass  # one that is under way ends

    def _changed(self) -> None:
        with self._lock:
            if self._tried.changed():  # nobody who asked was faster
                self.reload("change")

    def reload(self, by: str) -> Outcome:
        """`by` says why: change, SIGHUP, command, rollback N."""
        with self._lock:
            if not self._in_effect.changed():
                self._tried, self.refused = self._in_effect, None
                return Outcome("unchanged", self._history.current)
            files = Files()
            try:
                with reading(files):
                    number = self._history.next_number
                    go = self._node.prepare(self._path, number)
            except (ConfigError, OSError, HookFailed, PluginError, SpoolError) as error:
                self._tried = files
                return self._refuse(error, files, by)
            go(files)
            self._in_effect = self._tried = files
            self.refused = None
            self.reloads += 1
            self.applied = datetime.now(UTC)
            self._remember(lambda: self._history.add(number, files, by))
            log.info("config.applied generation=%d by=%s", number, by)
            return Outcome("applied", number)

    def rollback(self, number: int | None) -> Outcome:
        """Write the files of an earlier generation back and go by them; without a number that of
        the one in effect where the files there are were refused, otherwise the one before it.

        Raises ValueError where there is none, OSError where they cannot be written.
        """
        with self._lock:
            self._changed()  # perhaps so lately that nobody has looked at it
            wanted = self._earlier(number)
            texts = self._history.texts(wanted)
            there = _as_they_are({*self._in_effect.texts, *self._tried.texts, *texts})
            write_back(texts, there, self._history.access(wanted))
            outcome = self.reload(f"rollback {wanted}")
            if outcome.result == "refused":
                write_back(there, texts)
                self.reload("change")
            return outcome

    def _earlier(self, number: int | None) -> int:
        if number is None:
            number = self._history.current if self.refused else self._history.previous()
        if number is None:
            raise ValueError("there is no earlier generation in the history")
        return number

    def _refuse(self, error: Exception, files: Files, by: str) -> Outcome:
        mistakes = error.mistakes if isinstance(error, ConfigError) else ()
        first = str(mistakes[0]) if mistakes else str(error)
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        reason = first + more
        self.refused = Refused(datetime.now(UTC), reason, tuple(map(str, mistakes)))
        self.refusals += 1
        self._remember(lambda: self._history.add_refused(files, by, reason))
        log.error("config.refused by=%s reason=%s", by, reason)
        shown = report(mistakes) if mistakes else ""
        return Outcome("refused", self._history.current, reason, shown)

    def _remember(self, add: Callable[[], None]) -> None:
        """A history that cannot be written keeps nothing from being in effect."""
        try:
            add()
        except OSError as error:
            log.error("history.failed reason=%s", error.strerror)


def _as_they_are(paths: Iterable[Path]) -> dict[Path, bytes]:
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            found[path] = path.read_bytes()
    return found
