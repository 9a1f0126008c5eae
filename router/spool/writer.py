"""The one thread that writes: what is submitted while a commit is under way goes into the next.

It also makes the checkpoints, so that SQLite never has two writers or checkpointers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from router.spool.errors import SpoolError, SpoolFailed, SpoolFull
from router.spool.incoming import sync_directory
from router.spool.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from router.config.model import DestinationConfig
    from router.spool.health import Health
    from router.spool.tally import Tally

log = logging.getLogger("router.spool")

T = TypeVar("T")
Operation = tuple["Callable[[Transaction], Any]", "Future[Any]", bool]  # whether it is waited for

STORAGE_ERRORS = (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.ReadOnlyError)
NO_SPACE = "no space left for the ledger: free some on the spool's filesystem"
LOCKED = "another program has locked the ledger: nothing but the router may write to it"
MOST_PER_COMMIT = 512
GATHER = 0.005  # seconds; with 50, chains and destinations that keep up wait for the ledger
SYNC_AFTER = 0.05  # seconds
IDLE = 0.25  # seconds without a write, after which a checkpoint is in nobody's way
WAL_WHEN_IDLE = 256  # pages of 4 KiB
WAL_WHEN_BUSY = 16384  # 64 MiB: from here the checkpoint is made between two commits
WAL_WHEN_READERS_LINGER = 65536  # 256 MiB: readers are waited for, so that it starts over


class Writer:
    """Runs operations in group commits; their futures resolve once they are durable.

    An operation that raises fails alone: the others of its group are run again without it, so
    operations must not change anything but the database and their `Transaction`.
    """

    def __init__(
        self, connection: apsw.Connection, health: Health, committed: Callable[[set[str]], None]
    ) -> None:
        self._connection = connection
        self._health = health
        self._committed = committed
        self._operations: deque[Operation] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._wal = -1
        self._unsynced_since = 0.0  # the time of the first commit no sync has followed
        self._begin_at = 0.0  # when what is there is to be committed
        self._broken: str | None = None
        self._wal_pages = 0
        self._checkpointed = 0  # of these, so many were already tried to be saved
        self._transaction = Transaction(connection)
        connection.set_wal_hook(self._note_wal)
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Writer({len(self._operations)} waiting, {self._wal_pages} pages of WAL)"

    def waiting(self, destination: str) -> int:
        """The bytes that wait for a destination."""
        return self._transaction.waiting[destination]

    @property
    def tally(self) -> Tally:
        return self._transaction.tally

    def follow(self, destinations: Mapping[str, DestinationConfig]) -> None:
        """These are the destinations' settings from now on."""
        self._transaction.destinations = destinations

    @property
    def backlog(self) -> int:
        return len(self._operations)

    def submit(self, operation: Callable[[Transaction], T], waited_for: bool = True) -> Future[T]:
        """What nobody waits for is committed a little later, together with what comes until then,
        and synced later still: what that would lose in a power cut is known from elsewhere.
        """
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                future.set_exception(SpoolError("the ledger is closed"))
                return future
            self._operations.append((operation, future, waited_for))
            if waited_for:
                self._begin_at = 0.0
            elif len(self._operations) == 1:
                self._begin_at = time.monotonic() + GATHER
            if waited_for or len(self._operations) == 1:
                self._wake.notify()
        return future

    def close(self) -> None:
        """Carry out what was submitted, checkpoint, and close the connection."""
        with self._wake:
            self._closing = True
            self._begin_at = 0.0
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = self._take()
            running = [one for one in batch if one[1].set_running_or_notify_cancel()]
            if running:
                self._carry_out(running)
            elif self._closing and not self._operations:
                break
            elif self._unsynced_since:
                self._sync_quietly()
            if self._wal_pages - self._checkpointed > (WAL_WHEN_BUSY if running else WAL_WHEN_IDLE):
                self._checkpoint()
        self._sync_quietly()
        self._checkpoint()
        self._connection.close()
        if self._wal >= 0:
            os.close(self._wal)

    def _take(self) -> list[Operation]:
        """What is to be committed together; nothing when it is time for a checkpoint or the end."""
        with self._wake:
            if not self._operations and not self._closing:
                unsaved = self._wal_pages - self._checkpointed
                idle = IDLE if unsaved > WAL_WHEN_IDLE else None
                self._wake.wait(SYNC_AFTER if self._unsynced_since else idle)
            while self._operations and (left := self._begin_at - time.monotonic()) > 0:
                self._wake.wait(left)
            self._begin_at = 0.0
            size = min(len(self._operations), MOST_PER_COMMIT)
            return [self._operations.popleft() for _ in range(size)]

    def _carry_out(self, batch: Sequence[Operation]) -> None:
        try:
            results = self._commit([operation for operation, _, _ in batch])
            self._sync(at_once=any(waited_for for _, _, waited_for in batch))
        except Exception as error:
            self._roll_back()
            if len(batch) > 1 and not isinstance(error, SpoolError):
                for one in batch:
                    self._carry_out([one])
            else:
                for _, future, _ in batch:
                    future.set_exception(_as_spool_error(error))
            return
        topics = self._transaction.committed()
        for (_, future, _), result in zip(batch, results, strict=True):
            future.set_result(result)
        if topics:
            self._committed(topics)

    def _commit(self, operations: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        if self._broken is not None:
            raise SpoolFailed(self._broken)
        transaction = self._transaction
        try:
            transaction.begin()
            results = [operation(transaction) for operation in operations]
            transaction.complete()
            self._sync_directories(transaction.directories)
            transaction.execute("COMMIT")
        except apsw.BusyError as error:
            raise SpoolError(LOCKED) from error
        except STORAGE_ERRORS as error:
            raise self._storage_error(error) from error
        return results

    def _sync(self, at_once: bool) -> None:
        """Make what was committed durable, at once or when it is time; never after a failure, as a
        second sync succeeds without what the first has lost.
        """
        if self._broken is not None:
            raise SpoolFailed(self._broken)
        if not self._unsynced_since:
            self._unsynced_since = time.monotonic()
        if not at_once and time.monotonic() - self._unsynced_since < SYNC_AFTER:
            return
        try:
            if self._wal < 0:
                self._wal = os.open(self._connection.filename_wal, os.O_RDONLY | os.O_CLOEXEC)
            os.fdatasync(self._wal)
        except OSError as error:
            raise self._break(error) from error
        self._unsynced_since = 0.0

    def _sync_quietly(self) -> None:
        try:
            self._sync(at_once=True)
        except SpoolError:
            return  # it is said, and nothing is accepted any more

    def _roll_back(self) -> None:
        self._transaction.rolled_back()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as error:
            self._break(error)

    def _sync_directories(self, directories: Iterable[str]) -> None:
        try:
            for directory in directories:
                sync_directory(directory)
        except OSError as error:
            reason = f"cannot sync the spool's directory: {error.strerror}"
            self._health.fail(reason)
            raise SpoolFailed(reason) from error

    def _storage_error(self, error: apsw.Error) -> SpoolError:
        """What a commit that could not be written means. SQLite tells a full disk as such, a used
        up quota as a failed write; a failed sync is never about space alone.
        """
        failed_write = getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_WRITE
        out_of_quota = failed_write and self._connection.system_errno == errno.EDQUOT
        if isinstance(error, apsw.FullError) or out_of_quota:
            return SpoolFull(NO_SPACE)
        return self._break(error)

    def _break(self, error: apsw.Error | OSError) -> SpoolFailed:
        """Never write again: what comes after a gap in the WAL would be lost with it."""
        self._broken = f"the ledger cannot be written: {error}"
        self._unsynced_since = 0.0
        # or what the WAL has lost would be copied into the database when the router ends
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._health.fail(self._broken)
        return SpoolFailed(self._broken)

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._checkpointed = 0
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        if self._broken is not None:
            return
        linger = self._wal_pages > WAL_WHEN_READERS_LINGER
        mode = apsw.SQLITE_CHECKPOINT_RESTART if linger else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            log.warning("ledger.checkpoint.waits pages=%d: a reader takes long", self._wal_pages)
        except apsw.Error as error:
            log.error("ledger.checkpoint.failed error=%r", self._storage_error(error))
        self._checkpointed = self._wal_pages


def _as_spool_error(error: Exception) -> SpoolError:
    if isinstance(error, SpoolError):
        return error
    log.error("ledger.write.failed", exc_info=error)
    failed = SpoolError(f"the ledger could not record this ({type(error).__name__}), see the log")
    failed.__cause__ = error
    return failed
