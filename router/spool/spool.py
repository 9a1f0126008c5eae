"""The spool: one directory, held by one router, with the files of what it accepted and the ledger.

SPOOL/lock         held while a router runs, its process id inside
SPOOL/ledger.db    the ledger (and -wal, -shm)
SPOOL/files        what arrived, as Part 10, several instances of an association in a file
SPOOL/workspace    what routes' chains made, a directory per copy
SPOOL/outgoing     what destinations' chains made, a directory per delivery while it is tried
"""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import math
import os
import shutil
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from router.spool.codec import WORKSPACES, Paths
from router.spool.doctor import Diagnosis, diagnose, remove
from router.spool.errors import SpoolFailed, SpoolFull, SpoolLocked
from router.spool.files import FileTree
from router.spool.health import Health
from router.spool.incoming import IncomingFile, sync_directory
from router.spool.journal import encode_record, read_records
from router.spool.schema import damage_told
from router.spool.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from router.config.model import DestinationConfig
    from router.spool.ledger import Ledger
    from router.spool.records import Arrival, Expirable, Selection

log = logging.getLogger("router.spool")

FREE_SPACE_CACHED = 0.5  # seconds
FEWEST_INODES = 1024
EXPIRED_AT_ONCE = 100
MOST_UNRECORDED = 1000  # accepted instances whose rows are still to be written


class Spool:
    """Open it (or use it in a `with`) before anything else; `ledger` is there while it is open."""

    ledger: Ledger

    def __init__(
        self, directory: Path, destinations: Mapping[str, DestinationConfig] | None = None
    ) -> None:
        """What is accepted again from files while it opens follows `destinations`."""
        self.directory = directory.absolute()
        self._destinations = destinations or {}
        self._health = Health()
        self._held = ExitStack()
        self._removing = threading.Lock()
        self._space_lock = threading.Lock()
        self._unrecorded: list[Arrival] = []
        self._being_recorded: Counter[str] = Counter()  # by path: acknowledged, without a row
        self._unrecorded_lock = threading.Lock()
        self._space: tuple[float, int] | None = None

    def __repr__(self) -> str:
        return f"Spool({str(self.directory)!r}, failed={self.failed!r})"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def workspaces(self) -> Path:
        """Where a chain makes files: in a directory named by the copy's id, empty when it begins.

        The files must be synced; their directory is when the copy is finished.
        """
        return self.directory / WORKSPACES

    @property
    def outgoing(self) -> Path:
        """Where a destination's chain makes files that are needed for one try at a delivery."""
        return self.directory / "outgoing"

    @property
    def failed(self) -> str | None:
        """Why nothing is accepted any more; only a restart helps."""
        return self._health.failed

    def open(self) -> None:
        """Take the lock, open the ledger, and clear away what was never acknowledged.

        Raises `SpoolLocked` when another process has it, `SpoolError` when another version's or
        damaged.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(str(self.directory.parent))
        self._opened = time.time()
        with ExitStack() as undo:
            undo.callback(os.close, _take_lock(self.directory / "lock"))
            self.workspaces.mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(self.outgoing, ignore_errors=True)
            self.outgoing.mkdir(mode=0o700)
            path = self.directory / "ledger.db"
            self._files = FileTree(self.directory / "files", self._health, path.exists())
            with damage_told(path):
                ledger = SqliteLedger(path, self.directory, self._health)
            undo.callback(ledger.close)
            ledger.follow(self._destinations)
            self.ledger = ledger
            self._recover_files()
            ledger.end_retrieves().result()
            self._held = undo.pop_all()
        log.info("spool.opened directory=%s", self.directory)

    def close(self) -> None:
        """Finish what was submitted to the ledger and give the lock back."""
        self._held.close()
        log.info("spool.closed directory=%s", self.directory)

    def incoming(self) -> IncomingFile:
        """A new file. Raises `SpoolFull`, `SpoolFailed` since an earlier one failed, or
        `SpoolError` when this one cannot be made, for example for want of file descriptors.
        """
        self._require_room_to_record()
        return self._files.create()

    def keep(self, file: IncomingFile, arrival: Arrival, durable: bool = True) -> Future[int]:
        """Make the instance at the end of `file` durable, and have the ledger accept it; its
        hash must be known.

        When this returns nothing can lose it: the ledger's row may come later, after a crash from
        the record in the file. The future has its id. Raises `SpoolError` when it is not kept.
        What is here for a retrieve only need not be `durable`: no retrieve outlives a crash.
        """
        self._require_room_to_record()
        extent = file.seal(encode_record(arrival), durable)
        with self._unrecorded_lock:
            self._being_recorded[file.path] += 1
        future = self._accept(dataclasses.replace(arrival, extent=extent))
        if self.ledger.backlog > MOST_UNRECORDED:
            future.exception()  # receive no faster than the ledger can be written
        return future

    def record_again(self) -> None:
        """Try once more what the ledger had no space for; to be called now and then."""
        with self._unrecorded_lock:
            waiting, self._unrecorded = self._unrecorded, []
        self.ledger.write_refusals_again()
        for arrival in waiting:
            self._accept(arrival)

    def _accept(self, arrival: Arrival) -> Future[int]:
        future = self.ledger.accept(arrival, waited_for=False)
        future.add_done_callback(lambda done: self._note_accepted(arrival, done.exception()))
        return future

    def _note_accepted(self, arrival: Arrival, error: BaseException | None) -> None:
        """It is acknowledged: without its row it waits for space, or for the next start."""
        if isinstance(error, SpoolFull):
            with self._unrecorded_lock:
                self._unrecorded.append(arrival)
        elif error is not None:
            self._health.fail(f"an accepted instance could not be recorded: {error}")
        else:
            with self._unrecorded_lock:
                self._being_recorded -= Counter([arrival.stored.path])

    def _require_room_to_record(self) -> None:
        if self._health.failed is not None:
            raise SpoolFailed(self._health.failed)
        if self._unrecorded:
            raise SpoolFull("no space left for the ledger: free some on the spool's filesystem")

    def free_bytes(self) -> int:
        """What may still be written here, at most half a second old; 0 when out of inodes."""
        with self._space_lock:
            now = time.monotonic()
            if self._space is None or now - self._space[0] > FREE_SPACE_CACHED:
                space = os.statvfs(self.directory)
                out_of_inodes = space.f_files > 0 and space.f_favail < FEWEST_INODES
                self._space = (now, 0 if out_of_inodes else space.f_bavail * space.f_frsize)
            return self._space[1]

    def has_room(self, keep_free: int) -> bool:
        """Whether more than `keep_free` bytes are free."""
        return self.free_bytes() > keep_free

    def expire(self, retain: float, now: datetime | None = None) -> int:
        """Remove files of instances done more than `retain` seconds ago, some at a time; how many
        instances that were, 0 when there are no more. `math.inf` retains for ever.
        """
        if retain == math.inf:
            return 0
        before = (now or datetime.now(UTC)) - timedelta(seconds=retain)
        return self._remove_done(before)

    def make_room(self, keep_free: int) -> int:
        """Remove files of done instances, those done first first, until more than `keep_free`
        bytes are free or nothing is left that may go; how many instances that were.
        """
        removed = 0
        while not self.has_room(keep_free):
            some = self._remove_done(datetime.now(UTC))
            if not some:
                break
            removed += some
            self._space = None
        return removed

    def resend(self, to: str, selection: Selection, since: datetime | None) -> int:
        """See `Ledger.resend`; no file goes meanwhile."""
        with self._removing:
            return self.ledger.resend(to, selection, since).result()

    def examine(self, repair: bool) -> Diagnosis:
        """Compare files and ledger. Repairing removes what nothing refers to, and holds what lost
        its bytes, so that it is neither tried for ever nor forgotten.
        """
        ledger = self.directory / "ledger.db"
        with self._removing:
            open_files = self._files.open_files()
            found = diagnose(ledger, Paths(str(self.directory)), open_files, self._opened)
            if repair:
                remove(found.orphans)
                self.ledger.lost([each.instance_id for each in found.lost]).result()
        return found

    def _remove_done(self, before: datetime) -> int:
        with self._removing:
            spared = self._files.open_files()
            with self._unrecorded_lock:
                spared += self._being_recorded
            return self._remove(self.ledger.expirable(before, EXPIRED_AT_ONCE, spared))

    def _remove(self, instances: Sequence[Expirable]) -> int:
        """Files first: after a crash in between they are found gone and forgotten again."""
        directories: set[str] = set()
        for instance in instances:
            for copy_id in instance.copy_ids:
                shutil.rmtree(self.workspaces / str(copy_id), ignore_errors=True)
            if not instance.shared:
                _unlink(instance.path)
                directories.add(os.path.dirname(instance.path))
        if instances:
            self.ledger.forget_files([one.instance_id for one in instances]).result()
        for directory in directories:
            self._files.remove_if_empty(directory)
        return len(instances)

    def _recover_files(self) -> None:
        """Accept what was acknowledged and not yet recorded; remove files with nothing of that."""
        recorded = removed = 0
        for directory, paths in self._files.unsettled():
            for path in paths:
                accepted = self.ledger.accepted_until(path)
                found = [
                    self.ledger.accept(arrival).result() for arrival in read_records(path, accepted)
                ]
                recorded += len(found)
                if not accepted and not found:
                    os.unlink(path)
                    removed += 1
            self._files.remove_if_empty(directory)
        self._files.all_settled()
        if recorded or removed:
            log.info("spool.recovered instances=%d unfinished_files=%d", recorded, removed)


def _take_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode().strip()
        os.close(descriptor)
        raise SpoolLocked(
            f"{path.parent} is in use by the router with process id {holder}: stop it first"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
