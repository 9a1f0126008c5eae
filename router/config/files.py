"""The files a configuration is made of, as it read them: what is watched, kept and restored."""

from __future__ import annotations

import glob
import hashlib
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Stamp = tuple[int, int, int, int]


class Files:
    """Every file that was read while a configuration was built, each read once: one that changes
    meanwhile is seen in one state by all that ask for it.

    `texts` are the YAML and plugin files with their bytes. Of the others (secrets, lists of
    patients) only a digest is remembered.
    """

    def __init__(self) -> None:
        self.texts: dict[Path, bytes] = {}
        self._digests: dict[Path, bytes] = {}  # b"" where there is no file
        self._stamps: dict[Path, _Stamp | None] = {}
        self._contents: dict[Path, bytes] = {}
        self._listed: dict[tuple[Path, str], list[str]] = {}

    def read(self, path: Path, keep: bool = False) -> bytes:
        """The bytes of the file; raises OSError."""
        path = path.absolute()
        if path not in self._contents:
            self._stamps.setdefault(path, _stamp(path))
            try:
                content = path.read_bytes()
            except OSError:
                self._digests.setdefault(path, b"")
                raise
            self._digests.setdefault(path, hashlib.sha256(content).digest())
            self._contents[path] = content
        if keep:
            self.texts[path] = self._contents[path]
        return self._contents[path]

    def digest_of(self, path: Path) -> bytes:
        """Of a file that others will read, however large; b"" where there is none."""
        path = path.absolute()
        if path not in self._digests:
            self._stamps[path] = _stamp(path)
            self._digests[path] = _digest(path)
        return self._digests[path]

    def names(self, directory: Path, pattern: str) -> list[str]:
        """The files that a pattern means, by name; one that comes or goes is a change."""
        found = sorted(glob.glob(pattern, root_dir=directory, recursive=True))
        return self._listed.setdefault((directory.absolute(), pattern), found)

    def forget_contents(self) -> None:
        """Nothing more is read; `texts` and what tells changes stay."""
        self._contents.clear()

    @property
    def digest(self) -> bytes:
        """The same for the same files with the same bytes."""
        told = sorted((str(path), digest) for path, digest in self._digests.items())
        return hashlib.sha256(repr((told, sorted(self._listed.items()))).encode()).digest()

    @property
    def directories(self) -> set[Path]:
        """Where to watch: a file's directory, as it is written and as symbolic links lead to it."""
        found = set()
        for path in self._digests:
            found |= {path.parent, path.resolve().parent}
        for directory, pattern in self._listed:
            for name in [pattern, *glob.glob(glob.escape(str(directory)) + "/" + pattern)]:
                found.add((directory / name).parent)
        return {directory for directory in found if directory.is_dir()}

    def changed(self) -> bool:
        """Whether a file has other bytes now, has come or has gone."""
        if any(
            sorted(glob.glob(pattern, root_dir=directory, recursive=True)) != names
            for (directory, pattern), names in self._listed.items()
        ):
            return True
        return any(self._has_changed(path) for path in self._digests)

    def moment(self) -> object:
        """Equal to that of another moment when nothing was written in between."""
        names = [
            sorted(glob.glob(pattern, root_dir=directory, recursive=True))
            for directory, pattern in self._listed
        ]
        return names, [_stamp(path) for path in self._digests]

    def _has_changed(self, path: Path) -> bool:
        stamp = _stamp(path)
        if stamp == self._stamps[path]:
            return False
        if _digest(path) == self._digests[path]:
            self._stamps[path] = stamp  # written again as it was
            return False
        return True


_current: ContextVar[Files | None] = ContextVar("files", default=None)


@contextmanager
def reading(files: Files) -> Iterator[None]:
    """What is read inside is read through `files`."""
    token = _current.set(files)
    try:
        yield
    finally:
        _current.reset(token)
        files.forget_contents()


def read_file(path: Path, keep: bool = False) -> bytes:
    """A file that belongs to the configuration; `keep` what a rollback is to write back.

    Raises OSError.
    """
    files = _current.get()
    return path.read_bytes() if files is None else files.read(path, keep)


def digest_of_file(path: Path) -> bytes:
    """What tells a file that a plugin reads from what it was; b"" where there is none."""
    return (_current.get() or Files()).digest_of(path)


def file_names(directory: Path, pattern: str) -> list[str]:
    """The files that a pattern means, relative to `directory`, in name order."""
    return (_current.get() or Files()).names(directory, pattern)


def _digest(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
    return b""


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
