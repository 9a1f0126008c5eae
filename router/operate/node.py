"""The node: one running router. It builds the generation, opens the spool and starts every part."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from router.config import ConfigError, Mistake, key_position
from router.config.differences import NEEDS_RESTART
from router.config.files import Files, reading
from router.delivery import Deliveries
from router.intake import Listener, open_receiving
from router.operate.alarms import Alarms
from router.operate.control import ControlServer
from router.operate.generation import read_config
from router.operate.generations import Generations
from router.operate.greeting import greeting
from router.operate.history import History
from router.operate.housekeeping import Housekeeping
from router.operate.leaving import Leaving
from router.operate.listeners import Listeners, close
from router.operate.live import Live
from router.operate.log import follow as log_as
from router.operate.reloading import Reloading
from router.operate.signals import Stopping
from router.operate.web import Web
from router.query import QueryService
from router.routing import (
    Completer,
    DestinationHooks,
    Processor,
    WorkerPool,
    build_generation,
    check_start,
    default_workers,
)
from router.spool import Indexes, Spool
from router.wire import Census

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from socket import socket

    from router.config import Config
    from router.intake.admission import Admitted
    from router.intake.queries import Queries
    from router.operate.listeners import Place
    from router.routing import Generation
    from router.wire import Acceptor

log = logging.getLogger("router.node")

# Seconds that a stop waits for associations to end, then for copies and deliveries under way.
_ASSOCIATIONS_END = 10.0
_WORK_ENDS = 10.0
_TELLERS = 2  # processes in which plugins are told of complete studies, once one is
# Threads without which a router would only seem to run; every other may be a plugin's.
_VITAL = (
    "completer", "control", "deliver-", "housekeeping", "ledger", "lobby", "processor", "stopping",
)  # fmt: skip


class Node:
    """Everything of one router; `start`, then `stop`, once each."""

    def __init__(self, path: Path, config: Config, files: Files | None = None) -> None:
        """`files` are those that `config` was read from."""
        self.path = path
        self.spool = Spool(config.spool.directory, config.destinations)
        self._plugins = self.spool.directory / "plugins"
        self._first = config
        self._files = files or Files()
        self._peers = Census()
        self.started = datetime.now(UTC)

    @property
    def config(self) -> Config:
        """What is in effect."""
        return self.generations.current.config

    def start(self) -> None:
        """Raises OSError for a port or directory that cannot be had, SpoolError, and of plugins
        HookFailed, PluginError, ConfigError.
        """
        self._open_spool()
        ledger = self.spool.ledger
        self._leaving = Leaving(ledger, self.spool.directory)
        config = self._leaving.remembered(self._first)
        self.history = History(self.spool.directory / "history", self.path)
        with reading(self._files):
            number = self.history.begin(self._files)
            generation = build_generation(config, number, self._plugins)
        self.generations = Generations(ledger, generation, self._files.texts)
        self.listeners = Listeners(self._service, self._ending_service)
        opened = self.listeners.open(config)
        if mistakes := check_start(config, self._plugins):
            raise ConfigError(mistakes)
        ledger.hold_copies_of_unknown_routes(generation.route_chains.keys()).result()
        self.pool = WorkerPool(_workers(config), self._plugins, self.spool.workspaces)
        self._processor = Processor(ledger, self.pool, self.generations.chain_for)
        self._tellers = WorkerPool(_TELLERS, self._plugins, self.spool.workspaces)
        self.completer = Completer(ledger, self._tellers, self._current)
        hooks = DestinationHooks(self.pool, self.spool.outgoing, self._current)
        receive = partial(open_receiving, self.spool)
        self._indexes = Indexes(self.spool.directory)
        self._indexes.follow(config.destinations)
        self._queries = QueryService(ledger, hooks, receive, self._indexes, self.spool.directory)
        self.deliveries = Deliveries(
            ledger, config.destinations, hooks, config.timezone, self._indexes
        )
        self._housekeeping = Housekeeping(self.spool, self._current, self.tidy)
        self.alarms = Alarms(ledger, config, self.path.absolute().parent)
        self.reloading = Reloading(self.path, self, self._files, self.history)
        self.actions = Live(self)
        self.web = Web(self)
        self._control = ControlServer(self.spool.directory, self.actions.table())
        parts: tuple[Callable[[], None], ...] = (
            self._processor.start, self.completer.start, self.deliveries.start,
            self._housekeeping.start, partial(self.listeners.follow, config, opened),
            self.alarms.start, partial(self.web.try_to_open, config.web), self._control.start,
            self.reloading.start,
        )  # fmt: skip
        for start in parts:
            start()
        log.info("node.started pid=%d config=%s generation=%d", os.getpid(), self.path, number)

    def _current(self) -> Generation:
        return self.generations.current

    def _service(self, name: str) -> Listener:
        return Listener(name, self.spool, self._current, self._open_queries, self._peers)

    def _ending_service(self, name: str) -> Listener:
        generation = self.generations.current
        return Listener(name, self.spool, lambda: generation, self._open_queries, self._peers)

    def _open_queries(self, admitted: Admitted, generation: Generation) -> Queries:
        return self._queries.session(admitted.association, generation)

    def prepare(self, path: Path, number: int) -> Callable[[Files], None]:
        """Read the configuration and build all of it, beside what runs; what is returned has this
        node go by it. Raises ConfigError, OSError, HookFailed, PluginError, SpoolError.
        """
        before = self.generations.current
        config = read_config(path)
        refuse_what_needs_a_restart(config, before.config, path)
        config = self._leaving.judge(config, before.config, path, self.generations.older)
        generation = build_generation(config, number, self._plugins, before)
        opened: dict[Place, Acceptor] = {}
        page: socket | None = None
        try:
            opened = self.listeners.open(config)
            page = self.web.open(config.web)
            if mistakes := check_start(config, self._plugins, before.started):
                raise ConfigError(mistakes)
        except BaseException:
            close(opened)
            if page is not None:
                page.close()
            generation.close()
            raise
        return partial(self._follow, generation, opened, page)

    def _follow(
        self,
        generation: Generation,
        opened: Mapping[Place, Acceptor],
        page: socket | None,
        files: Files,
    ) -> None:
        """One reference is swapped, and those are told who keep something of their own."""
        config, before = generation.config, self.generations.current
        ledger = self.spool.ledger
        told = config.logging
        log_as(told.level, told.format, told.patient_data)
        self.listeners.prepare(config)
        self.generations.begin(generation, files.texts)
        self.listeners.follow(config, opened)
        ledger.follow(config.destinations)
        self._indexes.follow(config.destinations)
        renewed = [
            name
            for name in config.destinations
            if generation.outgoing(name) != before.outgoing(name)
        ]
        self.deliveries.follow(config.destinations, config.timezone, renewed)
        self._leaving.follow(config, before.config)
        self.alarms.follow(config)
        self.web.follow(config.web, page)
        self.actions.config = config
        self._use_workers()

    def _use_workers(self) -> None:
        self.pool.follow(_workers(self.config), self.generations.chains)
        self._tellers.follow(_TELLERS, self.generations.chains)

    def tidy(self) -> None:
        """End what earlier generations have left, where nobody uses it any more."""
        self.listeners.tidy()
        self.web.try_to_open(self.config.web)
        if self.generations.older:
            self._leaving.discard()
            if self.generations.tidy():
                self._use_workers()

    def _open_spool(self) -> None:
        try:
            self.spool.open()
        except OSError as error:
            where = f"spool.directory {self.spool.directory}"
            raise OSError(f"{where}: {error.strerror or error}") from error

    def stop(self) -> None:
        """Take nothing new, finish what is under way, leave the rest in the queue."""
        log.info("node.stopping")
        self.reloading.stop()
        self.listeners.close(_ASSOCIATIONS_END)
        self.web.close()
        self._control.close()
        self.alarms.stop()
        self._housekeeping.stop()
        self.deliveries.stop(_WORK_ENDS)
        self._processor.stop(_WORK_ENDS)
        self.completer.stop(_WORK_ENDS)
        self.generations.close()
        self._indexes.close()
        self.spool.close()
        log.info("node.stopped")


def refuse_what_needs_a_restart(new: Config, now: Config, path: Path) -> None:
    """Raises ConfigError where a key is changed that a running router cannot follow."""
    for key in sorted(NEEDS_RESTART):
        running = attrgetter(key)(now)
        if attrgetter(key)(new) != running:
            message = f"needs a restart: the router runs on {running}"
            raise ConfigError([Mistake(key_position(path, *key.split(".")), key, message)])


def _workers(config: Config) -> int:
    workers = config.processing.workers
    return default_workers() if workers == "auto" else workers


def run_node(path: Path, config: Config, files: Files) -> int:
    """Run until SIGTERM or SIGINT; another one ends it at once. Returns the exit code: 1 when it
    had to end because a part of it had.
    """
    # A commit or an answer that is ready must not wait 5 ms for the interpreter while another
    # thread computes; the switches this costs are lost among the system calls.
    sys.setswitchinterval(0.0005)
    # Most systems begin with 1024, which a crowd of silent connections uses up.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    node = Node(path, config, files)
    stopping, broken = Stopping(), threading.Event()

    tell = threading.excepthook

    def thread_failed(failed: threading.ExceptHookArgs) -> None:
        tell(failed)
        if failed.thread and failed.thread.name.startswith(_VITAL):
            broken.set()
            stopping.request()

    threading.excepthook = thread_failed

    started = threading.Event()

    def reread() -> None:
        started.wait()
        node.reloading.reload("SIGHUP")

    def hung_up(_: int, __: object) -> None:
        threading.Thread(target=reread, name="reload", daemon=True).start()

    signal.signal(signal.SIGHUP, hung_up)
    node.start()
    started.set()
    print(greeting(node), flush=True)
    stopping.wait()
    stopping.run(node.stop)
    return int(broken.is_set())
