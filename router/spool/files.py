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

from router.spool.errors import SpoolError, SpoolFailed, SpoolFull, SyncFailed
from router.spool.journal import encode_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from router.spool.health import Health

FILES_PER_DIRECTORY = 16384
HELD_BACK = 64 << 10  # bytes
FILE_SIZE = 64 << 20  # bytes; a file goes when everything in it is done
LEAST_ALLOCATED = 1 << 20  # bytes ahead; then as many as there are
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
    """A file that instances are appended to, one after the other, by one thread.

    `begin`, `write`... then `seal` (or `sync`) and accept what was written, or `discard` it;
    `close` in the end. Appending and syncing takes a fraction of what a new file costs each
    time. Raises `SpoolFull`, or `SpoolFailed` when the device fails.
    """

    def __init__(self, path: str, health: Health, ended: Callable[[], None]) -> None:
        self.path = path
        self.size = 0
        self._on_disk = 0
        self._allocated = 0
        self._held: list[bytes] = []  # small writes, made with the next: each costs a system call
        self._held_back = 0
        self._begun = 0
        self._named = False
        self._health = health
        self._ended = ended
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def __repr__(self) -> str:
        return f"IncomingFile({self.size} bytes, {'open' if self._descriptor >= 0 else 'closed'})"

    @property
    def is_full(self) -> bool:
        """Large enough: what comes next belongs into another file."""
        return self.size >= FILE_SIZE

    def begin(self) -> int:
        """The next instance starts here: its offset. Raises `SpoolFailed` since anything of the
        spool failed: a second sync of this file would succeed without what the first has lost.
        """
        if self._health.failed is not None:
            raise SpoolFailed(self._health.failed)
        self._begun = self.size
        return self._begun

    def write(self, views: Sequence[bytes | memoryview]) -> None:
        """Append all of them."""
        total = sum(map(len, views))
        if self._held_back + total <= HELD_BACK:
            self._held.extend(map(bytes, views))
            self._held_back += total
            self.size += total
        else:
            self._flush(views)

    def seal(self, record: bytes, durable: bool = True) -> tuple[int, int]:
        """End the instance with its record, and make it durable; where it begins and ends."""
        header = encode_header(self.size - self._begun, record)
        self.write([record])
        if self._on_disk == self._begun:  # a small instance, all of it still here
            whole = b"".join(self._held)
            self._held = [header, whole[len(header) :]]
        else:
            try:
                os.pwrite(self._descriptor, header, self._begun)
            except OSError as error:
                raise storage_error(self._health, "write", error, SpoolFailed) from error
        (self.sync if durable else self._flush)()
        return self._begun, self.size

    def sync(self) -> None:
        """Make everything written durable. After an error it can only be discarded."""
        self._flush()
        try:
            os.fdatasync(self._descriptor)
            if not self._named:
                sync_directory(os.path.dirname(self.path))
                self._named = True
        except OSError as error:
            raise storage_error(self._health, "sync", error, SyncFailed) from error

    def discard(self) -> None:
        """Take back what was written since `begin`, also after `sync` when it was not accepted.

        After a failure it is left to the next start: only that can tell whether the ledger has a
        row for it.
        """
        self._let_go()
        self.size = self._on_disk
        if self._health.failed is not None or self._descriptor < 0 or self.size == self._begun:
            return
        try:
            os.ftruncate(self._descriptor, self._begun)
            os.lseek(self._descriptor, self._begun, os.SEEK_SET)
        except OSError as error:
            storage_error(self._health, "truncate", error, SpoolFailed)
        self.size = self._on_disk = self._allocated = self._begun

    def close(self) -> None:
        """End it, without what was allocated ahead; a file in which nothing was kept is removed."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._ended()
        try:
            try:
                if self._health.failed is None:
                    os.ftruncate(descriptor, self._on_disk)
            finally:
                os.close(descriptor)
        except OSError as error:
            storage_error(self._health, "close", error, SpoolFailed)
        if not self.size and self._health.failed is None:
            os.unlink(self.path)

    def _flush(self, views: Sequence[bytes | memoryview] = ()) -> None:
        """Write what was held back and `views`."""
        waiting = [*self._held, *views]
        self._let_go()
        try:
            self._allocate(self._on_disk + sum(map(len, waiting)))
            for start in range(0, len(waiting), IOV_MAX):
                self._write_some(waiting[start : start + IOV_MAX])
        except OSError as error:
            raise storage_error(self._health, "write", error, SpoolFailed) from error
        finally:
            self.size = self._on_disk

    def _allocate(self, needed: int) -> None:
        """Have room for `needed` bytes and more: the sync of a file that has not grown takes a
        third less time, for small instances. Zeros at the end of a file are no record.
        """
        if needed <= self._allocated:
            return
        ahead = max(LEAST_ALLOCATED, min(self._allocated, FILE_SIZE))
        more = max(ahead, needed - self._allocated)
        try:
            os.posix_fallocate(self._descriptor, self._allocated, more)
            self._allocated += more
        except OSError:
            self._allocated = needed  # which may fit: the writes will tell

    def _let_go(self) -> None:
        self._held, self._held_back = [], 0

    def _write_some(self, views: Sequence[bytes | memoryview]) -> None:
        written = os.writev(self._descriptor, views)
        self._on_disk += written
        for view in views:
            skip = min(written, len(view))
            written -= skip
            while skip < len(view):
                more = os.write(self._descriptor, memoryview(view)[skip:])
                self._on_disk += more
                skip += more


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
