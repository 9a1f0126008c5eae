"""A file of the spool while instances arrive: appended to, and durable before they are accepted."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from router.dataset.segments import cut
from router.spool.errors import SpoolFailed, SpoolFull, SyncFailed
from router.spool.journal import encode_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.spool.health import Health

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
        self._most_held = HELD_BACK
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

    def begin(self, held_back: int = HELD_BACK) -> int:
        """The next instance starts here: its offset. Up to `held_back` bytes of it stay in memory
        before any is written. Raises `SpoolFailed` since anything of the spool failed: a second
        sync of this file would succeed without what the first has lost.
        """
        if self._health.failed is not None:
            raise SpoolFailed(self._health.failed)
        self._begun = self.size
        self._most_held = held_back
        return self._begun

    def holds(self, more: int) -> bool:
        """Whether all of the instance stays in memory when so many bytes are added."""
        return self._on_disk == self._begun and self._held_back + more <= self._most_held

    def held(self, offset: int) -> tuple[bytes, ...] | None:
        """The instance from `offset` of the file on, if all of it is still in memory."""
        if self._on_disk > self._begun:
            return None
        pieces = cut(self._held, offset - self._begun, self.size - offset)
        return tuple(piece for piece in pieces if isinstance(piece, bytes))

    def write(self, views: Sequence[bytes | memoryview]) -> None:
        """Append all of them."""
        total = sum(map(len, views))
        if self._held_back + total <= self._most_held:
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
        self._most_held = HELD_BACK
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
