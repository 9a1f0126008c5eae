"""What waits for one destination, handed to its lanes study by study."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.delivery.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from router.config import DestinationConfig
    from router.delivery.breaker import Outage
    from router.delivery.proposal import Kind
    from router.spool import Attempt, DeliveryTask, Ledger

log = logging.getLogger("router.delivery")

_CLAIMED_PER_LANE = 64  # deliveries held in memory; what a crash sends again at most
_BATCH = 16
_LOOK_AGAIN = 30.0  # seconds; only a safety net: the ledger tells when there is something
_RECORD_AGAIN = 5.0  # seconds until what could not be written down is tried again


class Backlog:
    """The claimed deliveries of one destination, and whether it is worth trying now.

    A study is sent by one lane at a time, in order of arrival. While the destination fails a
    single lane tries it; the others wait until it works again.
    """

    def __init__(self, name: str, settings: DestinationConfig, ledger: Ledger) -> None:
        self.name = name
        self.settings = settings
        self._ledger = ledger
        self._breaker = Breaker(settings.retry.first, settings.retry.longest)
        self._changed = threading.Condition()
        self._studies: OrderedDict[str, deque[DeliveryTask]] = OrderedDict()
        self._under_way: dict[int, list[DeliveryTask]] = {}  # by lane, each of one study
        self._trying: int | None = None  # the lane that probes a failing destination
        self._more = True  # the ledger may have deliveries we have not claimed
        self._unrecorded: deque[Attempt] = deque()
        self._closed = False

    def __repr__(self) -> str:
        waiting = sum(map(len, self._studies.values()))
        return f"<Backlog {self.name}: {waiting} claimed, {len(self._under_way)} studies under way>"

    @property
    def outage(self) -> Outage | None:
        return self._breaker.outage

    def wake(self) -> None:
        """The ledger has something for this destination."""
        with self._changed:
            if not self._more:  # otherwise a lane is about to claim, or keeps silent
                self._more = True
                self._changed.notify_all()

    def try_now(self) -> None:
        """Do not wait for the end of the silence that followed a failure."""
        with self._changed:
            self._breaker.try_now()
            self._more = True
            self._changed.notify_all()

    def close(self) -> None:
        """No lane gets anything any more; what is claimed and not being sent is given back."""
        with self._changed:
            self._closed = True
            self._give_back_all()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def halted(self) -> bool:
        """Nothing more is to be sent: closed, paused, or the ledger cannot be told of it."""
        return self._closed or bool(self._unrecorded) or self.name in self._ledger.paused()

    def take(self, lane: int, timeout: float) -> list[DeliveryTask]:
        """A few deliveries of one study, in order; none when nothing came within `timeout`."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._let_go(lane)
            while not self._closed:
                silence = self._wait_for_ledger() or self._silence()
                if not silence:
                    batch = self._next_batch(lane)
                    if batch:
                        return batch
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, silence or self._until_due()))
            return []

    def upcoming_kinds(self) -> set[Kind]:
        """The kinds of objects that are claimed: worth proposing now."""
        with self._changed:
            return {
                (task.sop_class_uid, task.transfer_syntax)
                for tasks in (*self._studies.values(), *self._under_way.values())
                for task in tasks
            }

    def give_back(self, unsent: Collection[DeliveryTask]) -> None:
        """Claimed deliveries that were not tried."""
        self._ledger.release_claims([task.delivery_id for task in unsent])

    def failed(self, unsent: Collection[DeliveryTask], reason: str) -> None:
        """The destination failed: keep silent for a while, longer each time."""
        with self._changed:
            silence = self._breaker.failed(reason, time.monotonic(), datetime.now(UTC))
            self.give_back(unsent)
            self._give_back_all()
            self._more = True
            self._changed.notify_all()
        log.warning(
            "destination.failed destination=%s reason=%s silence=%.0fs", self.name, reason, silence
        )

    def worked(self) -> None:
        """The destination took or judged an object: it is up."""
        with self._changed:
            over = self._breaker.worked()
            if over:
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
        future = self._ledger.finish([attempt])
        future.add_done_callback(lambda done: self._recorded(attempt, done.exception()))
        return future

    def waits_too_long(self, task: DeliveryTask) -> bool:
        after = self.settings.retry.hold_after
        age = datetime.now(UTC) - task.first_queued
        return after != float("inf") and age > timedelta(seconds=after)

    def _recorded(self, attempt: Attempt, error: BaseException | None) -> None:
        if error is not None:
            log.error("delivery.unrecorded destination=%s reason=%s", self.name, error)
            self._unrecorded.append(attempt)

    # All below with the lock held.

    def _wait_for_ledger(self) -> float:
        """Seconds to wait where nothing is to be sent: what the ledger cannot be told of now would
        be sent again after a restart.
        """
        if not self.halted:
            return 0.0
        self._give_back_all()
        self._more = True
        for _ in range(len(self._unrecorded)):
            self.record(self._unrecorded.popleft())
        return _RECORD_AGAIN

    def _silence(self) -> float:
        """Seconds to keep silent: 0 when the destination may be tried."""
        if self._breaker.outage is None:
            return 0.0
        if self._trying is not None:
            return _LOOK_AGAIN
        return self._breaker.waits(time.monotonic())

    def _next_batch(self, lane: int) -> list[DeliveryTask]:
        taken = {batch[0].study_instance_uid for batch in self._under_way.values()}
        if self._studies.keys() <= taken:
            self._claim()
        for study, tasks in self._studies.items():
            if study in taken:
                continue
            batch = [tasks.popleft() for _ in range(min(_BATCH, len(tasks)))]
            self._under_way[lane] = batch
            if self._breaker.outage:
                self._trying = lane
            if not tasks:
                del self._studies[study]
            return batch
        return []

    def _claim(self) -> None:
        room = _CLAIMED_PER_LANE * self.settings.associations
        room -= sum(map(len, self._studies.values()))
        if not self._more or room <= 0:
            return
        claimed = self._ledger.claim(self.name, room)
        self._more = len(claimed) == room
        for task in claimed:
            self._studies.setdefault(task.study_instance_uid, deque()).append(task)

    def _until_due(self) -> float:
        """Seconds until a waiting try is due; it is claimed then, without anybody telling."""
        due = self._ledger.next_due(f"destination:{self.name}")
        if due is None:
            return _LOOK_AGAIN
        self._more = True
        return min(max((due - datetime.now(UTC)).total_seconds(), 0.05), _LOOK_AGAIN)

    def _let_go(self, lane: int) -> None:
        """The lane has done what it was given."""
        self._under_way.pop(lane, None)
        if self._trying == lane:
            self._trying = None
        self._changed.notify_all()

    def _give_back_all(self) -> None:
        self._ledger.release_claims(
            [task.delivery_id for tasks in self._studies.values() for task in tasks]
        )
        self._studies.clear()
