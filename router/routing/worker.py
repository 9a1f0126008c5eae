"""A worker process: it holds plugins and runs chains, one copy at a time, and nothing else."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import resource
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from router.dataset import FileRange, scan_inflated
from router.instance import Instance, Source
from router.routing.build import Plugins
from router.routing.explain import Arriving, DryChain, Explained, ask_listener
from router.routing.failures import HookFailed, describe
from router.routing.own_process import die_with_the_router, silence_output
from router.routing.run import run_chain, run_outgoing
from router.routing.studies import tell_of_study
from router.routing.timing import Stopwatch, Timed
from router.routing.worker_log import DatagramHandler
from router.spool.records import HeldCopy, Processed
from router.spool.study_records import StudyTask

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from router.instance import Destination
    from router.routing.chain import Chain
    from router.routing.explain import Asked
    from router.routing.progress import Progress
    from router.routing.spec import ChainSpec, LinkSpec
    from router.spool.records import CopyOutcome, CopyTask, DeliveryTask
    from router.spool.study_records import StudyOutcome

# Work of the router's own on a copy that may crash or take too long; it is given a function that
# allows it so many seconds from then on.
Job: TypeAlias = "Callable[[Callable[[float], None]], CopyOutcome]"

Task: TypeAlias = "CopyTask | Outgoing | StudyTask"

STUDY_TIMEOUT = 3600.0  # seconds that a plugin may take at least when it is told of a study
OWN_TIMEOUT = 300.0  # seconds for what the router itself does with a copy between two hooks


@dataclass(frozen=True)
class WorkerSetting:
    """What every worker of a pool is given when it starts; `memory` is in bytes."""

    progress: Progress
    log: socket.socket
    log_level: int
    memory: int
    plugins_directory: Path
    workspace: Path


@dataclass(frozen=True)
class Outgoing:
    """A delivery's copy that the destination's chain is to change."""

    task: DeliveryTask
    destination: Destination
    workspace: Path


class Worker:
    """The chains of one generation, built as copies for them come."""

    def __init__(self, setting: WorkerSetting) -> None:
        self.setting = setting
        self._generation = ""
        self._plugins = Plugins(setting.plugins_directory)
        self._chains: dict[bytes, tuple[ChainSpec, Chain]] = {}
        self._slot = 0
        self._links: tuple[LinkSpec, ...] = ()
        self._least_timeout = 0.0
        self.stopwatch = Stopwatch()

    def process(self, slot: int, pickled: bytes, task: Task) -> CopyOutcome | StudyOutcome:
        """Run the chain on the copy, or tell it of the study; every failure is an outcome."""
        try:
            spec, chain = self._begin(slot, pickled)
            if isinstance(task, Outgoing):
                return self._rewrite(spec, chain, task)
            if isinstance(task, StudyTask):
                self._least_timeout = STUDY_TIMEOUT
                return tell_of_study(chain, task, spec.character_sets)
            return self._run(spec, chain, task)
        except HookFailed as failure:
            return HeldCopy(failure.reason, failure.plugin, failure.hook)
        except BaseException as error:
            return HeldCopy(describe(error), "", "")

    def explain(self, slot: int, pickled: bytes, asked: Asked) -> Explained:
        """Run the chain without keeping anything; every failure is an outcome."""
        task = asked.task
        try:
            spec, built = self._begin(slot, pickled)
            chain = DryChain(built.links, self._watch, asked.detailed)
            if isinstance(task, Outgoing):
                return chain.explained(self._rewrite(spec, chain, task))
            if isinstance(task, Arriving):
                instance, _ = self._instances(spec, task.task)
                return chain.explained(ask_listener(chain, instance))
            return chain.explained(self._run(spec, chain, task))
        except HookFailed as failure:
            return Explained(HeldCopy(failure.reason, failure.plugin, failure.hook))
        except BaseException as error:
            return Explained(HeldCopy(describe(error), "", ""))

    def run(self, slot: int, pickled: bytes) -> CopyOutcome:
        """Do a job; every failure is an outcome."""

        def allow(seconds: float) -> None:
            self.setting.progress.enter(slot, -1, "", seconds)

        allow(OWN_TIMEOUT)
        try:
            job: Job = pickle.loads(pickled)
            return job(allow)
        except BaseException as error:
            return HeldCopy(describe(error), "", "")

    def prepare(self, slot: int, pickled: bytes) -> HeldCopy | Literal["started"]:
        """Build and start the chain's plugins; the first that fails, and why."""
        try:
            self._begin(slot, pickled)
        except HookFailed as failure:
            return HeldCopy(failure.reason, failure.plugin, failure.hook)
        return "started"

    def shutdown(self) -> None:
        self._plugins.shutdown()

    def _begin(self, slot: int, pickled: bytes) -> tuple[ChainSpec, Chain]:
        """The chain, for a copy whose progress is told in `slot`."""
        self._slot, self._links, self._least_timeout = slot, (), 0.0
        self._watch(-1, "")
        spec, chain = self._chain(pickled)
        self._links = spec.links
        return spec, chain

    def _chain(self, pickled: bytes) -> tuple[ChainSpec, Chain]:
        if pickled not in self._chains:
            spec: ChainSpec = pickle.loads(pickled)
            if spec.generation != self._generation:
                self._chains.clear()
                self._plugins.shutdown()
                self._generation = spec.generation
            self._links = spec.links
            self._chains[pickled] = spec, self._plugins.chain(spec, self._watch)
        return self._chains[pickled]

    def _run(self, spec: ChainSpec, chain: Chain, task: CopyTask) -> CopyOutcome:
        received, own = self._instances(spec, task)
        outcome = _as_it_came(run_chain(chain, spec, own, received, task.destinations), task)
        if not (isinstance(outcome, Processed) and outcome.segments):
            shutil.rmtree(self.setting.workspace / str(task.copy_id), ignore_errors=True)
        return outcome

    def _instances(self, spec: ChainSpec, task: CopyTask) -> tuple[Instance, Instance]:
        """The copy twice: as filters see it, and to be rewritten."""
        stored = task.stored
        bulk = None if stored.problem else stored.bulk
        workspace = _emptied(self.setting.workspace / str(task.copy_id))
        came = (FileRange(stored.path, stored.offset, stored.length),)
        segments, scan = scan_inflated(came, task.transfer_syntax, bulk, workspace)
        source = Source(segments, scan.assuming(spec.character_sets.get(task.association.peer)))
        notes: dict[str, Any] = {}
        received, own = (
            Instance(
                source,
                association=task.association,
                route=task.route,
                received=task.received,
                workspace=workspace,
                notes=notes,
            )
            for _ in range(2)
        )
        return received, own

    def _rewrite(self, spec: ChainSpec, chain: Chain, outgoing: Outgoing) -> CopyOutcome:
        task = outgoing.task
        workspace = _emptied(outgoing.workspace)
        segments, scan = scan_inflated(task.segments, task.transfer_syntax, task.bulk, workspace)
        instance = Instance(
            Source(segments, scan.assuming(spec.character_sets.get(task.association.peer))),
            association=task.association,
            route=task.route,
            received=task.received,
            workspace=workspace,
        )
        return _as_it_came(run_outgoing(chain, spec, instance, outgoing.destination), task)

    def _watch(self, link: int, hook: str) -> None:
        name, timeout = "", OWN_TIMEOUT
        if link >= 0:
            name = self._links[link].plugin.name
            timeout = max(self._links[link].timeout, self._least_timeout)
        self.stopwatch.begin(name, hook)
        self.setting.progress.enter(self._slot, link, hook, timeout)


def _as_it_came(outcome: CopyOutcome, task: CopyTask | DeliveryTask) -> CopyOutcome:
    """What no plugin changed leaves as it came, also where the chain was shown it inflated."""
    if isinstance(outcome, Processed) and outcome.segments is None:
        return replace(outcome, transfer_syntax=task.transfer_syntax)
    return outcome


def _emptied(workspace: Path) -> Path:
    """A place for files that chains make; an earlier run may not have finished."""
    shutil.rmtree(workspace, ignore_errors=True)
    return workspace


_worker: Worker


def initialize(setting: WorkerSetting) -> None:
    """Make this process a worker."""
    global _worker
    die_with_the_router()
    silence_output()
    resource.setrlimit(resource.RLIMIT_DATA, (setting.memory, setting.memory))
    gc.set_threshold(20_000)  # a header is hundreds of objects; the default collects at each one
    logging.getLogger().handlers[:] = [DatagramHandler(setting.log)]
    logging.getLogger().setLevel(setting.log_level)
    logging.getLogger("pydicom").handlers[:] = [logging.NullHandler()]
    logging.getLogger("pydicom").propagate = False  # quotes values, also by its descendants
    _worker = Worker(setting)
    signal.signal(signal.SIGTERM, _retire)


def process(slot: int, pickled: bytes, task: Task) -> Timed:
    """Run a pickled ChainSpec on a copy; what a worker is asked to do."""
    with _ended_by_sigterm():
        outcome = _worker.process(slot, pickled, task)
        return Timed(outcome, _worker.stopwatch.take())


def rewrite(slot: int, pickled: bytes, outgoing: Outgoing) -> Timed:
    """Run a destination's pickled ChainSpec on a delivery's copy."""
    return process(slot, pickled, outgoing)


def explain(slot: int, pickled: bytes, asked: Asked) -> Explained:
    """Run a pickled ChainSpec to see what it would do."""
    with _ended_by_sigterm():
        return _worker.explain(slot, pickled, asked)


def run(slot: int, pickled: bytes, task: None) -> CopyOutcome:
    """Do a pickled Job."""
    with _ended_by_sigterm():
        return _worker.run(slot, pickled)


def prepare(slot: int, pickled: bytes, task: None) -> HeldCopy | Literal["started"]:
    """Build and start the plugins of a pickled ChainSpec."""
    with _ended_by_sigterm():
        return _worker.prepare(slot, pickled)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """While a hook runs the signal ends the process even if C code holds the interpreter."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, _retire)


def _retire(*_: object) -> None:
    """SIGTERM between two copies: the pool is being closed."""
    _worker.shutdown()
    os._exit(0)
