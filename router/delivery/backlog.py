"""What waits for one destination, handed to its lanes study by study."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from router.config.schedule import is_open
from router.delivery.bandwidth import Bandwidth
from router.delivery.breaker import Breaker
from router.delivery.recording import Recording
from router.delivery.turns import BATCH, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Future
    from datetime import tzinfo

    from router.config import DestinationConfig
    from router.delivery.breaker import Outage
    from router.delivery.proposal import Kind
    from router.spool import Attempt, DeliveryTask, Ledger, StandIn

log = logging.getLogger("router.delivery")

_LOOK_AGAIN = 30.0  # seconds; only a safety net: the ledger tells when there is something
_DUE_AGAIN = 0.5  # seconds
_RECORD_AGAIN = 5.0  # seconds until what could not be written down is tried again


class Backlog:
    """The deliveries of one destination, and how many lanes may be at them now.

    A study stays with one lane, its instances in their order, and its lane with one association.
    As many lanes have one as the breaker's window is wide; of a dead destination a single lane
    finds out whether it is back. What other destinations are owed that this one stands in for
    (`covered`) is sent as well, in turn.
    """

    def __init__(
        self,
        settings: DestinationConfig,
        ledger: Ledger,
        who: StandIn,
        *,
        covered: Callable[[], Sequence[str]],
        fell: Callable[[], None],
        timezone: tzinfo | None,
    ) -> None:
        self.name = who.destination
        self.timezone = timezone
        self._ledger = ledger
        self._covered = covered
        self._fell = fell  # tells those that stand in for this one
        self._changed = threading.Condition()
        self._turns = Turns()
        self._open: set[int] = set()  # the lanes that have an association
        self._busy: set[int] = set()  # those of them that are sending
        self._found_nothing: set[int] = set()  # lanes that need not look until there is news
        self._look_at = 0.0  # when they need to, of the monotonic clock
        self._batches = 0
        self._recording = Recording(ledger, who.destination)
        self.follow(settings, who, lanes=(), moved=False)
        self._closed = False

    def __repr__(self) -> str:
        return f"<Backlog {self.name}: {len(self._busy)} of {self._breaker.window} lanes busy>"

    @property
    def outage(self) -> Outage | None:
        return self._breaker.outage

    @property
    def is_down(self) -> bool:
        """It failed, and failed again after the first silence. Not while it is tried again."""
        outage, silence = self._breaker.outage, self._breaker.waits(time.monotonic())
        return outage is not None and outage.failures > 1 and silence > 0

    def follow(
        self, settings: DestinationConfig, who: StandIn, lanes: Collection[int], moved: bool
    ) -> None:
        """These are its settings and lanes from now on. Others end with the delivery they are at,
        and count as having an association until then, unless it has `moved`.
        """
        with self._changed:
            self.settings, self._who, self._lanes = settings, who, lanes
            retry = settings.retry
            self._breaker = Breaker(retry.first, retry.longest, settings.associations)
            self._bandwidth = Bandwidth(settings.bandwidth)
            self._turns.overtaking = settings.close_after != "study"
            for lane in (self._open | self._busy) - set(lanes) if moved else ():
                self._leave(lane)
            self._look_again()

    def wake(self) -> None:
        """The ledger has something for this destination."""
        with self._changed:
            if self._found_nothing:  # otherwise a lane is about to look, or keeps silent
                self._look_again()

    def try_now(self) -> None:
        """Do not wait for the end of the silence that followed a failure."""
        with self._changed:
            self._breaker.try_now()
            self._look_again()

    def close(self) -> None:
        """No lane gets anything any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def ended(self, lane: int) -> bool:
        """The lane gets nothing any more."""
        return self._closed or lane not in self._lanes

    @property
    def halted(self) -> bool:
        """Nothing more is to be sent: closed, paused, not scheduled now, or the ledger cannot be
        told of it.
        """
        return (
            self._closed
            or self._recording.is_behind
            or self.name in self._ledger.paused()
            or not is_open(self.settings.schedule, datetime.now(self.timezone))
        )

    def take(self, lane: int, timeout: float) -> list[DeliveryTask]:
        """A few deliveries of one study, in order; none when nothing came within `timeout`: then
        the lane is to close its association and say so (`left`).
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._busy.discard(lane)
            self._changed.notify_all()
            while not self.ended(lane):
                wait = self._wait_for_ledger(lane) or self._wait_for_turn(lane)
                batch = [] if wait else self._next_batch(lane)
                if batch:
                    return batch
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, wait or self._until_due()))
            return []

    def left(self, lane: int) -> None:
        """The lane has no association any more: another may open one."""
        with self._changed:
            if lane in self._open:
                self._leave(lane)

    def pace(self, task: DeliveryTask) -> None:
        """Wait until the bandwidth allows for this one; not while nothing is to be sent."""
        with self._changed:
            while not self.halted and (wait := self._bandwidth.waits(time.monotonic())):
                self._changed.wait(wait)
            if not self.halted:
                self._bandwidth.spend(task.size)

    def upcoming_kinds(self) -> set[Kind]:
        """The kinds of objects that wait: worth proposing now."""
        return {
            kind
            for name in (self.name, *self._covered())
            for kind in self._ledger.waiting_kinds(name)
        }

    def give_back(self, unsent: Collection[DeliveryTask]) -> None:
        """Claimed deliveries that were not tried."""
        self._ledger.release_claims([task.delivery_id for task in unsent])

    def failed(self, lane: int, unsent: Collection[DeliveryTask], reason: str) -> None:
        """The lane's association failed: fewer of them, or silence for a while."""
        with self._changed:
            if self.ended(lane):  # by settings gone by
                self.give_back(unsent)
                self._leave(lane)
                return
            in_use = len(self._open | {lane})
            now = time.monotonic()
            silence = self._breaker.failed(reason, now, datetime.now(UTC), in_use)
            self.give_back(unsent)
            self._leave(lane)
        log.warning(
            "destination.failed destination=%s reason=%s associations=%d silence=%.0fs",
            self.name, reason, in_use - 1, silence,
        )  # fmt: skip
        self._fell()

    def worked(self) -> None:
        """The destination took or judged an object: it is up."""
        with self._changed:
            before = self._breaker.window
            over = self._breaker.worked(time.monotonic())
            if over or self._breaker.window > before:
                self._changed.notify_all()
        if over:
            log.info(
                "destination.recovered destination=%s down_since=%s tries=%d",
                self.name, over.since.isoformat(timespec="seconds"), over.failures,
            )  # fmt: skip

    def record(self, attempt: Attempt) -> Future[None]:
        """Write down what became of a delivery. Nobody has to wait until it is durable: after a
        crash in between it is sent again.
        """
        return self._recording.record(attempt)

    def withdrawn(self, task: DeliveryTask) -> bool:
        """Whether somebody holds, discards or moves it, now that it was taken."""
        return self._ledger.is_withdrawn(task.delivery_id)

    def overdue(self) -> Sequence[DeliveryTask]:
        """Some of what has waited longer than `hold_after`, to be held."""
        after = self.settings.retry.hold_after
        if after == float("inf"):
            return []
        before = datetime.now(UTC) - timedelta(seconds=after)
        return self._ledger.claim_overdue(self.name, before, BATCH)

    def waits_too_long(self, task: DeliveryTask) -> bool:
        after = self.settings.retry.hold_after
        age = datetime.now(UTC) - task.first_queued
        return after != float("inf") and age > timedelta(seconds=after)

    # All below with the lock held.

    def _wait_for_ledger(self, lane: int) -> float:
        """Seconds to wait where nothing is to be sent: what the ledger cannot be told of now would
        be sent again after a restart.
        """
        if not self.halted:
            return 0.0
        self._found_nothing.add(lane)  # until there is news: it may be resumed
        self._look_at = 0.0
        self._recording.try_again()
        return _RECORD_AGAIN

    def _wait_for_turn(self, lane: int) -> float:
        """Seconds until the lane should look again whether it may send: 0 when it may."""
        if self._breaker.outage:
            return _LOOK_AGAIN if self._busy else self._breaker.waits(time.monotonic())
        if lane in self._open:
            return 0.0
        others_can = self._open - self._busy
        return _LOOK_AGAIN if others_can or len(self._open) >= self._breaker.window else 0.0

    def _next_batch(self, lane: int) -> list[DeliveryTask]:
        if lane in self._found_nothing and time.monotonic() < self._look_at:
            return []
        names = (self.name, *self._covered())
        self._batches += 1
        for offset in range(len(names)):
            name = names[(self._batches + offset) % len(names)]
            choose = partial(self._turns.choose, lane, name)
            who = None if name == self.name else self._who
            batch = self._ledger.claim_study(name, BATCH, choose, who)
            if batch:
                self._open.add(lane)
                self._busy.add(lane)
                self._changed.notify_all()  # there may be something for others
                return list(batch)
        self._found_nothing.add(lane)
        return []

    def _until_due(self) -> float:
        """Seconds until a waiting try is due; it is claimed then, without anybody telling."""
        topics = [f"destination:{name}" for name in (self.name, *self._covered())]
        due = [moment for topic in topics if (moment := self._ledger.next_due(topic))]
        wait = _LOOK_AGAIN
        if due:
            wait = min((min(due) - datetime.now(UTC)).total_seconds(), wait)
        if wait <= 0:  # it has just become due, or its study is another lane's
            wait = _DUE_AGAIN
        self._look_at = time.monotonic() + wait
        return wait

    def _look_again(self) -> None:
        self._found_nothing.clear()
        self._changed.notify_all()

    def _leave(self, lane: int) -> None:
        self._open.discard(lane)
        self._busy.discard(lane)
        self._turns.forget(lane)
        self._look_again()
