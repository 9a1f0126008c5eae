"""The files of the spool: written as an instance arrives, durable before it is accepted.

Files lie in numbered directories, each taking `FILES_PER_DIRECTORY` before the next is made, so
that nearly every group of accepted instances costs one directory sync, no directory grows without
end, and a directory that retention has emptied can go. Names are random: nothing received is
ever part of a path.

Files no row refers to were never acknowledged and are removed at the next start. To find them
without reading millions of names, `settled` holds the number below which every directory is
known to have none. It lags by a directory, since a file that is closed may not be committed yet;
losing it only means looking through more.
"""

from __future__ import annotations

import errno
import os
import threading
import uuid
from typing import TYPE_CHECKING

from router.spool.errors import SpoolError, SpoolFull, SyncFailed
from router.spool.incoming import (
    NO_SPACE,
    OUT_OF_SPACE,
    IncomingFile,
    storage_error,
    sync_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.spool.health import Health

FILES_PER_DIRECTORY = 16384


class FileTree:
    """The numbered directories under `SPOOL/files`; the highest takes new files."""

    def __init__(self, root: Path, health: Health, settled: bool = True) -> None:
        """`settled` is whether there is a ledger that may know what is there."""
        self._root = root
        self._health = health
        self._lock = threading.Lock()
        self._open: dict[str, int] = {}
        self._files = 0
        root.mkdir(mode=0o700, exist_ok=True)
        self._current = max(self._numbers(), default=0)
        self._unsettled = self._read_settled() if settled else 0
        self._next_directory()

    def create(self) -> IncomingFile:
        try:
            with self._lock:  # the kernel makes names in one directory one at a time anyway
                if self._files >= FILES_PER_DIRECTORY:
                    self._next_directory()
                    self._note_settled(min([*self._open.values(), self._current - 1]))
                number = self._current
                path = os.path.join(self._directory(number), uuid.uuid4().hex)
                file = IncomingFile(path, self._health, lambda: self._ended(path))
                self._files += 1
                self._open[path] = number
                return file
        except OSError as error:
            if error.errno in OUT_OF_SPACE:
                raise SpoolFull(NO_SPACE) from error
            raise SpoolError(f"cannot create a file of the spool: {error.strerror}") from error

    def unsettled(self) -> Iterator[tuple[str, list[str]]]:
        """Directories with their files, of which some may never have been accepted.

        To be called before the first file is created.
        """
        for number in sorted(self._numbers()):
            if self._unsettled <= number < self._current:
                directory = self._directory(number)
                yield directory, [os.path.join(directory, name) for name in os.listdir(directory)]

    def all_settled(self) -> None:
        """Every file of `unsettled` is either referred to or gone."""
        self._note_settled(self._current)

    def remove_if_empty(self, directory: str) -> None:
        if directory == self._directory(self._current):
            return
        try:
            os.rmdir(directory)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise

    def open_files(self) -> list[str]:
        """The paths that instances are still appended to: not to be removed, done or not."""
        with self._lock:
            return list(self._open)

    def _ended(self, path: str) -> None:
        with self._lock:
            del self._open[path]

    def _directory(self, number: int) -> str:
        return os.path.join(self._root, f"{number:08d}")

    def _numbers(self) -> Iterator[int]:
        return (int(name) for name in os.listdir(self._root) if name.isdecimal())

    def _next_directory(self) -> None:
        directory = self._directory(self._current + 1)
        os.makedirs(directory, mode=0o700, exist_ok=True)  # there, if its sync had no space
        try:
            sync_directory(str(self._root))
        except OSError as error:
            raise storage_error(self._health, "sync", error, SyncFailed) from error
        self._current += 1
        self._files = 0

    def _note_settled(self, number: int) -> None:
        temporary = self._root / "settled.new"
        temporary.touch(mode=0o600)
        temporary.write_text(str(number))
        temporary.replace(self._root / "settled")

    def _read_settled(self) -> int:
        try:
            return int((self._root / "settled").read_text())
        except (FileNotFoundError, ValueError):
            return 0
