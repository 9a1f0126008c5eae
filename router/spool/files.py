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
from collections import Counter
from typing import TYPE_CHECKING

from router.spool.errors import SpoolError, SpoolFailed, SpoolFull, SyncFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from router.spool.health import Health

FILES_PER_DIRECTORY = 16384
IOV_MAX = 1024  # Linux: more buffers are EINVAL
NO_SPACE = "no space left in the spool: free some on its filesystem"
OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(
    health: Health, action: str, error: OSError, failed: type[SpoolFailed]
) -> SpoolFull | SpoolFailed:
    """What a failed write or sync means: no space, or nothing can be trusted any more."""
    if error.errno in OUT_OF_SPACE:
        return SpoolFull(NO_SPACE)
    reason = f"cannot {action} a file of the spool: {error.strerror}"
    health.fail(reason)
    return failed(reason)


class IncomingFile:
    """A file an instance is written to: `write`... then `sync` and accept it, or `discard`.

    One thread at a time. Raises `SpoolFull`, or `SpoolFailed` when the device fails.
    """

    def __init__(self, path: str, health: Health, ended: Callable[[], None]) -> None:
        self.path = path
        self.size = 0
        self._health = health
        self._ended = ended
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def __repr__(self) -> str:
        return f"IncomingFile({self.size} bytes, {'open' if self._descriptor >= 0 else 'closed'})"

    def write(self, views: Sequence[bytes | memoryview]) -> None:
        """Append all of them."""
        try:
            for start in range(0, len(views), IOV_MAX):
                self._write_some(views[start : start + IOV_MAX])
        except OSError as error:
            raise storage_error(self._health, "write", error, SpoolFailed) from error

    def sync(self) -> None:
        """Make the content durable and close. After an error the file can only be discarded."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise storage_error(self._health, "sync", error, SyncFailed) from error
        try:
            self._close()
        except OSError as error:
            raise storage_error(self._health, "close", error, SyncFailed) from error

    def discard(self) -> None:
        """Close and remove, also after `sync` when it was not accepted.

        After a failure the file is left to the next start: only that can tell whether the
        ledger has a row for it.
        """
        try:
            self._close()
        except OSError as error:
            storage_error(self._health, "close", error, SpoolFailed)
        if self._health.failed is None:
            os.unlink(self.path)

    def _write_some(self, views: Sequence[bytes | memoryview]) -> None:
        written = os.writev(self._descriptor, views)
        self.size += written
        for view in views:
            skip = min(written, len(view))
            written -= skip
            while skip < len(view):
                more = os.write(self._descriptor, memoryview(view)[skip:])
                self.size += more
                skip += more

    def _close(self) -> None:
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._ended()
        os.close(descriptor)


class FileTree:
    """The numbered directories under `SPOOL/files`; the highest takes new files."""

    def __init__(self, root: Path, health: Health) -> None:
        self._root = root
        self._health = health
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()
        self._files = 0
        root.mkdir(mode=0o700, exist_ok=True)
        self._current = max(self._numbers(), default=0)
        self._unsettled = self._read_settled()
        self._next_directory()

    def create(self) -> IncomingFile:
        try:
            with self._lock:  # the kernel makes names in one directory one at a time anyway
                if self._files >= FILES_PER_DIRECTORY:
                    self._next_directory()
                    self._note_settled(min([*self._open, self._current - 1]))
                number = self._current
                path = os.path.join(self._directory(number), uuid.uuid4().hex)
                file = IncomingFile(path, self._health, lambda: self._ended(number))
                self._files += 1
                self._open[number] += 1
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

    def _ended(self, number: int) -> None:
        with self._lock:
            self._open[number] -= 1
            if not self._open[number]:
                del self._open[number]

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
