"""The processes of the workers: some for each generation of chains, so that none runs old code."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pebble import ProcessPool


class Processes:
    """Pools of processes by what they work for, made by `make` when first needed.

    Not locked: its WorkerPool holds the lock.
    """

    def __init__(self, make: Callable[[], ProcessPool]) -> None:
        self._make = make
        self._pools: dict[str, ProcessPool] = {}
        self._kept: Collection[str] | None = None  # None: all
        self._ending: list[threading.Thread] = []

    def of(self, generation: str) -> ProcessPool:
        """Those of a generation of chains; what is for none ("") goes to the newest."""
        if not generation and self._pools:
            generation = next(reversed(self._pools))
        pool = self._pools.get(generation)
        if pool is None or not pool.active:
            if pool is not None:
                _end(pool)
            pool = self._pools[generation] = self._make()
        return pool

    def keep(self, generations: Collection[str]) -> None:
        """Those of all others end when `tidy` finds them unused."""
        self._kept = generations

    def renew(self) -> None:
        """What there is works for nobody any more: the settings of processes are others."""
        for name in list(self._pools):
            self._pools[f"{name} before {id(self._pools[name])}"] = self._pools.pop(name)

    def tidy(self, in_use: Collection[ProcessPool]) -> None:
        """End those that are neither kept nor in use."""
        if self._kept is None:
            return
        for name, pool in list(self._pools.items()):
            if name not in self._kept and pool not in in_use:
                del self._pools[name]
                thread = threading.Thread(target=_end, args=(pool,), daemon=True)
                self._ending = [each for each in self._ending if each.is_alive()] + [thread]
                thread.start()

    def stop(self) -> None:
        for pool in self._pools.values():
            _end(pool)
        for thread in self._ending:
            thread.join()
        self._pools.clear()


def _end(pool: ProcessPool) -> None:
    """Plugins are shut down by the signal that ends each process."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def default_workers() -> int:
    """A worker for every processor but one, which the network threads have."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def default_memory(workers: int) -> int:
    """An equal part of the machine's memory for each worker and the router, 1 GiB at least."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1 << 30, total // (workers + 1))


def ending(exit_code: int) -> str:
    """How a process ended, for people."""
    try:
        return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    except ValueError:
        return f"signal {-exit_code}"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
