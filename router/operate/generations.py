"""The generation that everything new goes by, and older ones as long as something goes by them."""

from __future__ import annotations

import logging
import queue
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.routing import forget_modules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.routing import ChainSpec, Generation
    from router.routing.build import Plugins
    from router.spool import CopyTask, Ledger

log = logging.getLogger("router.node")


@dataclass
class _Older:
    """What is left of a generation: its copies may still have to be processed."""

    chains: str
    route_chains: Mapping[str, ChainSpec]
    plugins: Plugins
    texts: Mapping[Path, bytes]
    newest: int | None = None  # instance that it planned; None while associations may bring more


class Generations:
    """One reference is swapped; who has begun by the old one keeps it.

    An association's instances all go through the chains it began with. A copy that was held, or
    that was left by an earlier process, goes through its route's current one.
    """

    def __init__(self, ledger: Ledger, first: Generation, texts: Mapping[Path, bytes]) -> None:
        self._ledger = ledger
        self._texts = texts
        self._older: dict[int, _Older] = {}
        self._unused: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.current = first

    def __repr__(self) -> str:
        return f"<Generations {self.current.number}, older {list(self._older)}>"

    @property
    def older(self) -> bool:
        """Something may still go by an older one."""
        return bool(self._older)

    @property
    def chains(self) -> set[str]:
        """What worker processes are needed for."""
        return {self.current.chains, *(each.chains for each in self._older.values())}

    def begin(self, new: Generation, texts: Mapping[Path, bytes]) -> None:
        """Everything new goes by this one from now on."""
        old = self.current
        self._older[old.number] = _Older(old.chains, old.route_chains, old.plugins, self._texts)
        # Associations, and what they hand on, refer to their generation: when nothing does any
        # more, it has had its last association.
        weakref.finalize(old, self._unused.put, old.number).atexit = False
        self._texts = texts
        self.current = new

    def chain_for(self, task: CopyTask) -> ChainSpec | None:
        """The chain of a copy's route; None where there is no such route any more."""
        older = self._older.get(task.generation) if not task.attempts else None
        chains = older.route_chains if older else self.current.route_chains
        return chains.get(task.route)

    def tidy(self) -> bool:
        """End the generations that nothing goes by any more; whether there were any."""
        while True:
            try:
                older = self._older[self._unused.get_nowait()]
            except queue.Empty:
                break
            older.plugins.shutdown()
            older.newest = self._ledger.newest_instance().result()
        oldest = self._ledger.oldest_unprocessed() if self._older else None
        done = [
            number
            for number, each in self._older.items()
            if each.newest is not None and (oldest is None or oldest > each.newest)
        ]
        for number in done:
            del self._older[number]
            log.info("generation.ended number=%d", number)
        if done:
            texts = [self._texts, *(each.texts for each in self._older.values())]
            forget_modules(texts)
        return bool(done)

    def close(self) -> None:
        """Shut all plugins down."""
        for older in self._older.values():
            older.plugins.shutdown()
        self.current.close()
