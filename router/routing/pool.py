"""Worker processes, and what becomes of a copy whose worker overruns, dies or is killed."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pebble import ProcessExpired, ProcessPool

from router.routing import worker
from router.routing.explain import Explained
from router.routing.processes import Processes, default_memory, ending, is_alive
from router.routing.progress import Progress
from router.routing.timing import PluginTimes
from router.routing.worker_log import LogReceiver
from router.spool.records import HeldCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
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
_MOST_SLOTS = 256  # copies in flight, however many workers there may be later
_TRIES = 3  # of a copy whose worker was killed outside of any hook
_RETRY_AFTER = 60.0  # seconds between them
_GIVE_BACK_SIGNALS = (signal.SIGTERM, signal.SIGINT)  # somebody stops us; no plugin's fault


@dataclass(eq=False)
class _Flight:
    """A copy on its way through a worker."""

    slot: int
    processes: ProcessPool
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
        self._most_slots = max(self.slots, _MOST_SLOTS)
        self._given_memory = memory
        self._log = LogReceiver()
        self.times = PluginTimes()
        self._setting = worker.WorkerSetting(
            progress=Progress(self._context, self._most_slots),
            log=self._log.sender,
            log_level=logging.getLogger("router").getEffectiveLevel(),
            memory=self._memory(),
            plugins_directory=plugins_directory,
            workspace=workspace,
        )
        self._lock = threading.Condition()  # notified when a slot becomes free
        self._free = list(range(self.slots))
        self._flights: set[_Flight] = set()
        self._doomed: dict[int, int] = {}
        self._processes = Processes(self._made_processes)
        self._stopping = threading.Event()
        self._busy = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="worker-watch", daemon=True)
        self._watcher.start()

    def __repr__(self) -> str:
        return f"WorkerPool({self._workers} workers, {len(self._flights)} copies in flight)"

    def _memory(self) -> int:
        return self._given_memory or default_memory(self._workers)

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
        self._fly(worker.process, spec, task, done, task.attempts)

    def tell(self, spec: ChainSpec, task: StudyTask, done: Callable[[Told | None], None]) -> None:
        """Have the chain told of a study; `done` is called as by `submit`."""
        self._fly(worker.process, spec, task, done, task.attempts)

    def rewrite(self, spec: ChainSpec, outgoing: Outgoing) -> CopyOutcome | None:
        """Run a destination's chain on one delivery's copy and wait for what comes of it; None
        when it was not run to its end for no fault of its own.
        """
        landed: Future[CopyOutcome | None] = Future()
        self._fly(worker.rewrite, spec, outgoing, landed.set_result)
        return landed.result()

    def explain(self, spec: ChainSpec, asked: Asked) -> Explained:
        """Run the chain to see what it would do, and wait for that; nothing is kept."""
        landed: Future[Explained | HeldCopy | None] = Future()
        self._fly(worker.explain, spec, asked, landed.set_result, attempts=_TRIES)
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
        self._fly(worker.prepare, spec, None, landed.set_result, attempts=_TRIES)
        outcome = landed.result() or HeldCopy("no worker process could be started", "", "startup")
        return None if outcome == "started" else outcome

    def stop(self) -> None:
        """End the workers; what is in flight is given back."""
        self._stopping.set()
        self._busy.set()
        with self._lock:
            self._lock.notify_all()
        self._watcher.join()
        self._processes.stop()
        for flight in list(self._flights):
            flight.future.cancel()
        self._log.close()

    def _fly(
        self,
        function: Callable[..., object],
        work: ChainSpec | bytes,
        task: object,
        done: Callable[[Any], None],
        attempts: int = 0,
    ) -> None:
        pickled, links, generation = (
            (work, (), "")
            if isinstance(work, bytes)
            else (work.pickled, work.links, work.generation)
        )
        with self._lock:
            self._lock.wait_for(lambda: self._free or self._stopping.is_set())
            if self._stopping.is_set():
                done(None)
                return
            pool = self._processes.of(generation)
            slot = self._free.pop()
            self._setting.progress.clear(slot)
            future = pool.schedule(function, (slot, pickled, task))
            flight = _Flight(slot, pool, links, attempts, done, future)
            self._flights.add(flight)
            self._busy.set()
        future.add_done_callback(lambda _: self._landed(flight))

    def _made_processes(self) -> ProcessPool:
        return ProcessPool(
            self._workers,
            initializer=worker.initialize,
            initargs=(self._setting,),
            context=self._context,
        )

    def follow(self, workers: int, generations: Collection[str]) -> None:
        """So many workers from now on, for these generations of chains: processes for others end
        when nothing of them is in flight. The log's level is the router's.
        """
        level = logging.getLogger("router").getEffectiveLevel()
        with self._lock:
            if (workers, level) != (self._workers, self._setting.log_level):
                self._workers = workers
                self._resize(min(2 * workers, self._most_slots))
                self._setting = replace(self._setting, log_level=level, memory=self._memory())
                self._processes.renew()
            self._processes.keep(generations)
            self._tidy()

    def _resize(self, slots: int) -> None:
        taken = {flight.slot for flight in self._flights} | self._doomed.keys()
        self.slots = slots
        self._free[:] = [slot for slot in range(slots) if slot not in taken]
        self._lock.notify_all()

    def _tidy(self) -> None:
        self._processes.tidy([flight.processes for flight in self._flights])

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
            self._tidy()
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
        return self._held(flight, f"its worker process ended: {ending(exit_code)}")

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
            for flight in flights:
                if not flight.processes.active:
                    flight.future.cancel()
                else:
                    self._look_after(flight)

    def _look_after(self, flight: _Flight) -> None:
        doing = self._setting.progress.read(flight.slot)
        if not doing.pid:
            return
        if not is_alive(doing.pid):
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
            if not pid or not is_alive(pid):
                del self._doomed[slot]
                self._release(slot)

    def _release(self, slot: int) -> None:
        if slot < self.slots:
            self._free.append(slot)
        self._lock.notify_all()
