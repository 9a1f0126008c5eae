"""The node: one running router. It builds the generation, opens the spool and starts every part."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from router.config import ConfigError
from router.delivery import Deliveries
from router.intake import Listener, open_receiving
from router.operate.actions import Actions, plain
from router.operate.alarms import Alarms
from router.operate.control import ControlServer
from router.operate.housekeeping import Housekeeping
from router.operate.signals import Stopping
from router.operate.words import titles
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
from router.spool import Spool
from router.wire import Acceptor, AcceptorLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.config import Config
    from router.routing import Generation

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

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self._spool = Spool(config.spool.directory, config.destinations)
        self._config = config
        self._started = datetime.now(UTC)
        self._acceptors: dict[str, Acceptor] = {}

    def start(self) -> None:
        """Raises OSError for a port or directory that cannot be had, SpoolError, and of plugins
        HookFailed, PluginError, ConfigError.
        """
        config = self._config
        self._open_spool()
        ledger = self._spool.ledger
        plugins = self._spool.directory / "plugins"
        self._generation: Generation = build_generation(config, 1, plugins)
        for name, listener in config.listeners.items():
            limits = AcceptorLimits(maximum_associations=listener.maximum_associations)
            service = Listener(
                name,
                self._spool,
                lambda: self._generation,
                lambda admitted, generation: self._queries.session(
                    admitted.association, generation
                ),
            )
            try:
                self._acceptors[name] = Acceptor(listener.bind, listener.port, service, limits)
            except OSError as error:
                where = f"{listener.bind} port {listener.port}"
                why = (error.strerror or "").partition(" (")[0]
                raise OSError(f"listener {name} cannot listen on {where}: {why}") from error
        if mistakes := check_start(config, plugins):
            raise ConfigError(mistakes)
        routes = self._generation.route_chains.keys()
        ledger.hold_copies_of_unknown_routes(routes).result()
        workers = config.processing.workers
        count = default_workers() if workers == "auto" else workers
        self._pool = WorkerPool(count, plugins, self._spool.workspaces)
        self._processor = Processor(ledger, self._pool, self._generation.route_chains.get)
        tellers = WorkerPool(_TELLERS, plugins, self._spool.workspaces)
        self._completer = Completer(ledger, tellers, lambda: self._generation)
        hooks = DestinationHooks(self._pool, self._spool.outgoing, lambda: self._generation)
        receive = partial(open_receiving, self._spool)
        self._queries = QueryService(ledger, hooks, receive, self._spool.directory)
        self._deliveries = Deliveries(ledger, config.destinations, hooks, config.timezone)
        self._housekeeping = Housekeeping(self._spool, lambda: self._generation)
        self._alarms = Alarms(ledger, config, self.path.absolute().parent)
        self._control = ControlServer(self._spool.directory, _Live(self).table())
        parts: tuple[Callable[[], None], ...] = (
            self._processor.start, self._completer.start, self._deliveries.start,
            self._housekeeping.start,
            *(acceptor.start for acceptor in self._acceptors.values()), self._alarms.start,
            self._control.start,
        )  # fmt: skip
        for start in parts:
            start()
        log.info("node.started pid=%d config=%s", os.getpid(), self.path)

    def _open_spool(self) -> None:
        try:
            self._spool.open()
        except OSError as error:
            where = f"spool.directory {self._spool.directory}"
            raise OSError(f"{where}: {error.strerror or error}") from error

    def stop(self) -> None:
        """Take nothing new, finish what is under way, leave the rest in the queue."""
        log.info("node.stopping")
        for acceptor in self._acceptors.values():
            acceptor.close()
        deadline = time.monotonic() + _ASSOCIATIONS_END
        for acceptor in self._acceptors.values():
            acceptor.drain(max(deadline - time.monotonic(), 0))
        self._control.close()
        self._alarms.stop()
        self._housekeeping.stop()
        self._deliveries.stop(_WORK_ENDS)
        self._processor.stop(_WORK_ENDS)
        self._completer.stop(_WORK_ENDS)
        self._generation.close()
        self._spool.close()
        log.info("node.stopped")

    def greeting(self) -> str:
        """What somebody who has just started it wants to know."""
        lines = [f"dicom-router {version('dicom-router')} runs {self.path} (process {os.getpid()})"]
        for name, listener in self._config.listeners.items():
            place = f"{listener.bind}:{self._acceptors[name].port}"
            lines.append(f"  listens on {place} as {titles(listener.ae_title)} ({name})")
        lines.append(f"  keeps what it accepts in {self._spool.directory}")
        if self._acceptors:
            name, acceptor = next(iter(self._acceptors.items()))
            title = self._config.listeners[name].ae_title[0].replace("*", "ROUTER")
            target = f"{title}@127.0.0.1:{acceptor.port}"
            lines += [
                f"  try: {sys.argv[0]} send {target} FILE_OR_FOLDER",
                f"   or: storescu -aec {title} 127.0.0.1 {acceptor.port} FILE",
                f" then: {sys.argv[0]} status --config {self.path}",
            ]
        return "\n".join(lines)


class _Live(Actions):
    """The actions of a router that runs: what only it knows, and what should happen at once."""

    def __init__(self, node: Node) -> None:
        super().__init__(node._spool, node._config)
        self._node = node

    def status(self) -> Any:  # noqa: ANN401 - JSON
        node = self._node
        return super().status() | {
            "running": True,
            "version": version("dicom-router"),
            "pid": os.getpid(),
            "config": str(node.path),
            "started": node._started.isoformat(),
            "listeners": [
                {
                    "name": name,
                    "bind": settings.bind,
                    "port": node._acceptors[name].port,
                    "ae_title": settings.ae_title,
                    "associations": node._acceptors[name].associations,
                }
                for name, settings in node._config.listeners.items()
            ],
            "outages": {
                name: {
                    "since": outage.since.isoformat(),
                    "failures": outage.failures,
                    "reason": outage.reason,
                    "stand_in": node._deliveries.stand_in(name),
                }
                for name, outage in node._deliveries.outages().items()
            },
            "plugins": plain([*node._pool.times.report(), *node._completer.times.report()]),
        }

    def retry(self, **selection: str | None) -> int:
        destination = selection.get("destination")
        count = super().retry(**selection)
        self._node._deliveries.try_now(destination)
        return count


def run_node(path: Path, config: Config) -> int:
    """Run until SIGTERM or SIGINT; another one ends it at once. Returns the exit code: 1 when it
    had to end because a part of it had.
    """
    # A commit or an answer that is ready must not wait 5 ms for the interpreter while another
    # thread computes; the switches this costs are lost among the system calls.
    sys.setswitchinterval(0.0005)
    node = Node(path, config)
    stopping, broken = Stopping(), threading.Event()

    tell = threading.excepthook

    def thread_failed(failed: threading.ExceptHookArgs) -> None:
        tell(failed)
        if failed.thread and failed.thread.name.startswith(_VITAL):
            broken.set()
            stopping.request()

    threading.excepthook = thread_failed

    node.start()
    print(node.greeting(), flush=True)
    stopping.wait()
    stopping.run(node.stop)
    return int(broken.is_set())
