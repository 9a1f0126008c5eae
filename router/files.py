"""Files written outside the spool: safe names of received values, writes that survive a crash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import unicodedata
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_NAME = 180  # bytes; file systems take 255, and other programs append to names
_RESERVED = {"CON", "PRN", "AUX", "NUL", "CLOCK$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in range(10)
}
_ALTERED = re.compile(r"~[0-9a-f]{12}$")


def safe_name(text: str) -> str:
    """`text` as the name of one file or directory, whoever chose the text.

    A text that has to be altered ends in a hash of itself, and so does one that looks like that:
    two different texts never become one name.
    """
    if is_safe_name(text) and not _ALTERED.search(text):
        return text
    kept = _harmless(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    cut = kept.encode()[: _LONGEST_NAME - 13].decode("utf-8", "ignore")
    return f"{cut or '_'}~{digest}"


def is_safe_name(text: str) -> bool:
    """Whether it is one name everywhere: not empty, at most 180 bytes, without separators,
    control characters, a dot at either end, or what a Windows share reserves.
    """
    return bool(text) and _harmless(text) == text and len(text.encode()) <= _LONGEST_NAME


def _harmless(text: str) -> str:
    kept = "".join(_safe_character(character) for character in text).rstrip(". ")
    if kept.startswith((".", " ")):
        kept = "_" + kept[1:]
    return "_" + kept if kept.split(".")[0].strip().upper() in _RESERVED else kept


def _safe_character(character: str) -> str:
    if character in '/\\:*?"<>|' or unicodedata.category(character)[0] == "C":
        return "_"
    return character


def write_durably(path: Path, content: Iterable[Any]) -> None:
    """Write the bytes of `content` to `path`, all or nothing, and return once a crash keeps them.

    An existing file is replaced. Raises OSError; then `path` is as it was before.
    """
    made = _make_directories(path.parent)
    temporary = path.with_name(f".{path.name}.part")
    with os.fdopen(_open_alone(temporary), "wb") as file:
        try:
            for part in content:
                file.write(part)
            file.flush()
            os.fchmod(file.fileno(), 0o640)
            os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    for directory in (path.parent, *made):
        _sync_directory(directory)


def _open_alone(path: Path) -> int:
    """Open for writing, empty, as the only one that does.

    The name is always the same, so that what a crash left is taken over by the next try.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    os.ftruncate(descriptor, 0)
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # renamed or removed by the one that had it


def _make_directories(directory: Path) -> list[Path]:
    """Make what is missing; gives the directories that have a new entry to be made durable."""
    missing = [directory, *directory.parents]
    missing = missing[: next(i for i, parent in enumerate(missing) if parent.is_dir())]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
    return [parent.parent for parent in missing]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def relative_parts(text: str) -> tuple[str, ...]:
    """The parts of a relative path an administrator wrote; ValueError when it leads outside."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{text!r} must be a path inside the directory: relative, without '..'")
    return path.parts
