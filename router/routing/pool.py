"""Worker processes, and what becomes of a copy whose worker overruns, dies or is killed."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pebble import ProcessExpired, ProcessPool

from router.routing import worker
from router.routing.explain import Explained
from router.routing.progress import Progress
from router.routing.timing import PluginTimes
from router.routing.worker_log import LogReceiver
from router.spool.records import HeldCopy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.routing.explain import Asked
    from router.routing.spec import ChainSpec, LinkSpec
    from router.routing.worker import Job, Outgoing
    from router.spool.records import CopyOutcome, CopyTask
    from router.spool.study_records import StudyOutcome, StudyTask

    Told = StudyOutcome | HeldCopy

log = logging.getLogger("router.routing")

_TICK = 0.2  # seconds between two looks at what the workers are doing
_LOST_AFTER = 5  # ticks that a dead worker's copy may take to be reported
_TRIES = 3  # of a copy whose worker was killed outside of any hook
_RETRY_AFTER = 60.0  # seconds between them
_GIVE_BACK_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # somebody stops us; no plugin's fault


@dataclass(eq=False)
class _Flight:
    """A copy on its way through a worker."""

    slot: int
    links: tuple[LinkSpec, ...]
    attempts: int
    done: Callable[[Any], None]
    future: Future[Any]
    verdict: HeldCopy | None = None  # what a cancelled future means
    dead_ticks: int = 0


class WorkerPool:
    """Runs chains in `workers` processes, started when first needed, and watches over them.

    `memory` is what one of them may allocate, in bytes.
    """

    def __init__(
        self, workers: int, plugins_directory: Path, workspace: Path, memory: int | None = None
    ) -> None:
        self._workers = workers
        # Forked from a server that has the modules loaded: a replacement is there in
        # milliseconds, and no thread or socket of this process is in it.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([worker.__name__])
        self.slots = 2 * workers
        self._log = LogReceiver()
        self.times = PluginTimes()
        self._setting = worker.WorkerSetting(
            progress=Progress(self._context, self.slots),
            log=self._log.sender,
            log_level=logging.getLogger("router").getEffectiveLevel(),
            memory=memory or default_memory(workers),
            plugins_directory=plugins_directory,
            workspace=workspace,
        )
        self._lock = threading.Condition()  # notified when a slot becomes free
        self._free = list(range(self.slots))
        self._flights: set[_Flight] = set()
        self._doomed: dict[int, int] = {}
        self._pool: ProcessPool | None = None
        self._stopping = threading.Event()
        self._busy = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="worker-watch", daemon=True)
        self._watcher.start()

    def __repr__(self) -> str:
        return f"WorkerPool({self._workers} workers, {len(self._flights)} copies in flight)"

    @property
    def free(self) -> int:
        """How many more copies may be submitted now."""
        return len(self._free)

    def submit(
        self, spec: ChainSpec, task: CopyTask, done: Callable[[CopyOutcome | None], None]
    ) -> None:
        """Run the chain on the copy; `done` is called once, from another thread, with what came
        of it, or with None when it was not run to its end for no fault of its own.
        """
        self._fly(worker.process, spec.pickled, task, done, spec.links, task.attempts)

    def tell(self, spec: ChainSpec, task: StudyTask, done: Callable[[Told | None], None]) -> None:
        """Have the chain told of a study; `done` is called as by `submit`."""
        self._fly(worker.process, spec.pickled, task, done, spec.links, task.attempts)

    def rewrite(self, spec: ChainSpec, outgoing: Outgoing) -> CopyOutcome | None:
        """Run a destination's chain on one delivery's copy and wait for what comes of it; None
        when it was not run to its end for no fault of its own.
        """
        landed: Future[CopyOutcome | None] = Future()
        self._fly(worker.rewrite, spec.pickled, outgoing, landed.set_result, spec.links)
        return landed.result()

    def explain(self, spec: ChainSpec, asked: Asked) -> Explained:
        """Run the chain to see what it would do, and wait for that; nothing is kept."""
        landed: Future[Explained | HeldCopy | None] = Future()
        self._fly(
            worker.explain, spec.pickled, asked, landed.set_result, spec.links, attempts=_TRIES
        )
        outcome = landed.result() or HeldCopy("no worker process could run it", "", "")
        return Explained(outcome) if isinstance(outcome, HeldCopy) else outcome

    def run(self, job: Job) -> CopyOutcome | None:
        """Do a job and wait for what comes of it; as `rewrite`, but that it is the copy's fault if
        the worker is killed.
        """
        landed: Future[CopyOutcome | None] = Future()
        self._fly(worker.run, pickle.dumps(job), None, landed.set_result, attempts=_TRIES)
        return landed.result()

    def prepare(self, spec: ChainSpec) -> HeldCopy | None:
        """Build and start the chain's plugins in a worker: the first that fails, and why."""
        landed: Future[HeldCopy | Literal["started"] | None] = Future()
        self._fly(
            worker.prepare, spec.pickled, None, landed.set_result, spec.links, attempts=_TRIES
        )
        outcome = landed.result() or HeldCopy("no worker process could be started", "", "startup")
        return None if outcome == "started" else outcome

    def stop(self) -> None:
        """End the workers; what is in flight is given back."""
        self._stopping.set()
        self._busy.set()
        with self._lock:
            self._lock.notify_all()
        self._watcher.join()
        self._end_pool()
        for flight in list(self._flights):
            flight.future.cancel()
        self._log.close()

    def _fly(
        self,
        function: Callable[..., object],
        pickled: bytes,
        task: object,
        done: Callable[[Any], None],
        links: tuple[LinkSpec, ...] = (),
        attempts: int = 0,
    ) -> None:
        with self._lock:
            self._lock.wait_for(lambda: self._free or self._stopping.is_set())
            if self._stopping.is_set():
                done(None)
                return
            pool = self._running_pool()
            slot = self._free.pop()
            self._setting.progress.clear(slot)
            future = pool.schedule(function, (slot, pickled, task))
            flight = _Flight(slot, links, attempts, done, future)
            self._flights.add(flight)
            self._busy.set()
        future.add_done_callback(lambda _: self._landed(flight))

    def _running_pool(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            self._end_pool()
            self._pool = ProcessPool(
                self._workers,
                initializer=worker.initialize,
                initargs=(self._setting,),
                context=self._context,
            )
        return self._pool

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def _landed(self, flight: _Flight) -> None:
        """The copy's future is done, one way or another."""
        outcome = self._outcome(flight)
        with self._lock:
            self._flights.discard(flight)
            if flight.future.cancelled():
                # Its worker is about to be killed, and writes to the slot until it is.
                self._doomed[flight.slot] = self._setting.progress.read(flight.slot).pid
            else:
                self._release(flight.slot)
            if not self._flights and not self._doomed:
                self._busy.clear()
        flight.done(outcome)

    def _outcome(self, flight: _Flight) -> object:
        if flight.future.cancelled():
            return flight.verdict
        match flight.future.exception():
            case None:
                return self.times.taken_from(flight.future.result())
            case ProcessExpired() as died:
                return self._after_death(flight, died.exitcode)
            case BrokenProcessPool():  # of an idle worker that ended, too
                return None
            case error:
                return self._held(flight, f"its worker failed: {type(error).__name__}")

    def _after_death(self, flight: _Flight, exit_code: int) -> HeldCopy | None:
        if -exit_code in _GIVE_BACK_SIGNALS:
            return None
        return self._held(flight, f"its worker process ended: {_told(exit_code)}")

    def _held(self, flight: _Flight, reason: str) -> HeldCopy:
        doing = self._setting.progress.read(flight.slot)
        if doing.link >= 0:
            return HeldCopy(reason, flight.links[doing.link].plugin.name, doing.hook)
        retry_after = _RETRY_AFTER if flight.attempts < _TRIES else None
        return HeldCopy(reason, "", "", retry_after)

    def _watch(self) -> None:
        while self._busy.wait() and not self._stopping.wait(_TICK):
            with self._lock:
                flights = list(self._flights)
                self._release_doomed()
                broken = self._pool is None or not self._pool.active
            for flight in flights:
                if broken:
                    flight.future.cancel()
                else:
                    self._look_after(flight)

    def _look_after(self, flight: _Flight) -> None:
        doing = self._setting.progress.read(flight.slot)
        if not doing.pid:
            return
        if not _is_alive(doing.pid):
            # pebble does not tell of a worker that ended with exit code 0, and may not know yet
            # whose copy one had that died just after it took it.
            flight.dead_ticks += 1
            if flight.dead_ticks > _LOST_AFTER:
                flight.verdict = self._held(flight, "its worker process ended")
                flight.future.cancel()
        elif doing.overdue:
            flight.verdict = self._held(flight, f"it did not finish within {doing.timeout:g} s")
            flight.future.cancel()

    def _release_doomed(self) -> None:
        for slot, pid in list(self._doomed.items()):
            if not pid or not _is_alive(pid):
                del self._doomed[slot]
                self._release(slot)

    def _release(self, slot: int) -> None:
        self._free.append(slot)
        self._lock.notify_all()


def default_workers() -> int:
    """A worker for every processor but one, which the network threads have."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def default_memory(workers: int) -> int:
    """An equal part of the machine's memory for each worker and the router, 1 GiB at least."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1 << 30, total // (workers + 1))


def _told(exit_code: int) -> str:
    try:
        return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    except ValueError:
        return f"signal {-exit_code}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
