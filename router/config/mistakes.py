"""What is wrong with a configuration and where: every mistake names its file, line and column."""

from __future__ import annotations

import difflib
import linecache
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a configuration file, as the reader's editor counts it: from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def text(self) -> str:
        """The line of the file as it is now; nothing where it cannot be read."""
        linecache.checkcache(self.file)  # kept lines outlive an edit, and a change of directory
        return linecache.getline(self.file, self.line).rstrip()


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to correct (`error`) or to look at (`lint`); `path` is the dotted key."""

    position: Position
    path: str
    message: str
    level: Literal["error", "lint"] = "error"

    def __str__(self) -> str:
        level = "lint: " if self.level == "lint" else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.position}: {level}{path}{self.message}"

    def render(self) -> str:
        """The mistake, the line it is in and a caret under its column."""
        line = self.position.text()
        if not line:
            return str(self)
        before = line[: self.position.column - 1]
        indent = "".join("\t" if character == "\t" else " " for character in before)
        return f"{self}\n  {line}\n  {indent}^"


class ConfigError(Exception):
    """The configuration cannot be used; `mistakes` are all that is wrong with it."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = in_order(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Mistake, ...]]]:
        return ConfigError, (self.mistakes,)  # from a worker process


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """By file and line; what is reached by several aliases is said once."""
    unique = {(mistake.position, mistake.message): mistake for mistake in mistakes}
    return tuple(unique[key] for key in sorted(unique))


def report(mistakes: Iterable[Mistake]) -> str:
    """All mistakes rendered, and how many they are: what `dicom-router check` prints."""
    listed = in_order(mistakes)
    lints = sum(mistake.level == "lint" for mistake in listed)
    counts = [(len(listed) - lints, "mistake"), (lints, "lint")]
    total = ", ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in counts if n)
    return "".join(f"{mistake.render()}\n" for mistake in listed) + f"{total or 'no mistakes'}\n"


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the known name closest to `word`, or nothing."""
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    return f", did you mean '{names[found[0]]}'?" if found else ""


def suggest(word: str, known: Iterable[str]) -> str:
    """The known name closest to `word`, or, where none is close, all of them."""
    names = list(known)
    return nearest(word, names) or f"; known here: {', '.join(names) or 'none'}"
