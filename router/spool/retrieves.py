"""Retrieves under way: which arriving instances are for whom. Open ones are kept in memory.

What arrives for a retrieve is a copy of its own whose one destination (`retrieve:ID:NAME`) is the
retrieve itself; who answers the retrieve takes its deliveries. When it ends, what is not delivered
is discarded: the upstream still has it. So is, at a start, what a crash has left of any.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.spool.records import PlannedCopy
from router.spool.transit import MOST_RETRIEVES, Transit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from router.spool.transaction import Transaction

PREFIX = "retrieve:"
_MOST_ENDED = 10_000

Originator = tuple[str, int]  # AE title and message ID


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a retrieve's Identifier names; what is empty is not asked about."""

    patient_ids: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()

    def includes(self, which: Which) -> bool:
        pairs = (
            (self.patient_ids, which.patient_id),
            (self.studies, which.study_instance_uid),
            (self.series, which.series_instance_uid),
            (self.instances, which.sop_instance_uid),
        )
        return any(asked for asked, _ in pairs) and all(
            value in asked for asked, value in pairs if asked
        )


@dataclass(frozen=True)
class Which:
    """An instance that arrives, as a retrieve may have asked for it."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str


@dataclass(frozen=True)
class Expected:
    """What open retrieves make of an instance that arrives.

    `routes`: it takes the routes as well, since nothing says that it came because of them only.
    """

    copies: tuple[PlannedCopy, ...] = ()
    routes: bool = True
    retrieves: tuple[Retrieve, ...] = ()

    @property
    def transit(self) -> Transit | None:
        """What it may pass through, as it is for one retrieve and nothing else."""
        return self.retrieves[0].transit if len(self.retrieves) == 1 and not self.routes else None


@dataclass(eq=False)
class Retrieve:
    """One retrieve for somebody, as arriving instances are told from others by.

    `senders` are the AE titles and addresses that upstreams send from, `originators` what their
    C-STORE requests say if they say it: our AE title, or wrongly their own. Each SOP Instance UID
    is taken once. Those for it alone may leave by `transit`.
    """

    number: int
    route: str
    name: str  # of who gets it
    has_chain: bool
    asked: Asked
    senders: frozenset[str] = frozenset()
    originators: frozenset[Originator] = frozenset()
    taken: set[str] = field(default_factory=set)
    arrivals: int = 0
    transit: Transit | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def expect_from(self, senders: Collection[str], originators: Collection[Originator]) -> None:
        """An upstream is about to be asked; to be called before it is."""
        with self._lock:
            self.senders = self.senders.union(senders)
            self.originators = self.originators.union(originators)

    @property
    def destination(self) -> str:
        return f"{PREFIX}{self.number}:{self.name}"


class Retrieves:
    """The open ones; used by every thread."""

    def __init__(self, last_number: int) -> None:
        self._lock = threading.Lock()
        self._number = last_number
        self._open: dict[int, Retrieve] = {}
        self._ended: OrderedDict[Originator, None] = OrderedDict()

    def open(self, route: str, name: str, has_chain: bool, asked: Asked) -> Retrieve:
        with self._lock:
            self._number += 1
            retrieve = Retrieve(self._number, route, name, has_chain, asked)
            self._open[retrieve.number] = retrieve
        return retrieve

    def let_pass(self, retrieve: Retrieve, wake: Callable[[], None]) -> None:
        """See `Ledger`."""
        with self._lock:
            passing = sum(each.transit is not None for each in self._open.values())
            if passing < MOST_RETRIEVES:
                retrieve.transit = Transit(wake)

    def passes(self, originator: Originator | None, only: Retrieve | None) -> bool:
        """See `Ledger`."""
        if only is not None:
            return only.transit is not None
        with self._lock:
            return any(
                each.transit is not None and originator in each.originators
                for each in self._open.values()
            )

    def close(self, retrieve: Retrieve) -> None:
        """What still comes for it is for nobody, if it says that it comes because of it."""
        with self._lock:
            del self._open[retrieve.number]
            for originator in retrieve.originators:
                self._ended[originator] = None
            while len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)

    def expect(
        self,
        which: Which,
        senders: Collection[str],
        originator: Originator | None,
        only: Retrieve | None,
    ) -> Expected:
        """What is to become of an instance; `only` is the retrieve on whose association it came."""
        with self._lock:
            if only is not None:
                return self._take([only] if only.number in self._open else [], which, routes=False)
            if not self._open and originator not in self._ended:
                return Expected()
            asking = [each for each in self._open.values() if each.asked.includes(which)]
            if originator is not None:
                exact = [each for each in asking if originator in each.originators]
                if exact or originator in self._ended:
                    return self._take(exact, which, routes=False)
                title, _ = originator
                asking = [
                    each for each in asking if any(title == known for known, _ in each.originators)
                ]
            fitting = [each for each in asking if not each.senders.isdisjoint(senders)]
            return self._take(fitting, which, routes=True)

    def give_back(self, retrieves: Collection[Retrieve], sop_instance_uid: str) -> None:
        """It was not accepted after all."""
        with self._lock:
            for retrieve in retrieves:
                retrieve.taken.discard(sop_instance_uid)
                retrieve.arrivals -= 1

    def _take(self, retrieves: list[Retrieve], which: Which, *, routes: bool) -> Expected:
        new = []
        for retrieve in retrieves:
            retrieve.arrivals += 1
            if which.sop_instance_uid not in retrieve.taken:
                retrieve.taken.add(which.sop_instance_uid)
                new.append(retrieve)
        copies = tuple(
            PlannedCopy(each.route, (each.destination,), each.has_chain, priority=1) for each in new
        )
        return Expected(copies, routes, tuple(new))


@dataclass(frozen=True, slots=True)
class RetrieveState:
    """Where the copies for a retrieve are that are not delivered.

    `open` ones may still be. By SOP Instance UID: `skipped` are not wanted by the chain, the
    others have failed, with the reason; UIDs are those that leave where the chain made them.
    """

    open: int
    skipped: frozenset[str]
    failed: dict[str, str]


def number_of(destination: str) -> int | None:
    """The retrieve that a destination stands for."""
    if not destination.startswith(PREFIX):
        return None
    return int(destination.split(":", 2)[1])


def note(transaction: Transaction, instance: int, destinations: Collection[str]) -> None:
    """A copy for these was made."""
    for destination in destinations:
        if (number := number_of(destination)) is not None:
            transaction.execute("INSERT OR IGNORE INTO retrieved VALUES(?, ?)", (number, instance))
