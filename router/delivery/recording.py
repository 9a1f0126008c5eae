"""What became of deliveries, written down; what cannot be is kept and tried again."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.spool import Attempt, Ledger

log = logging.getLogger("router.delivery")


class Recording:
    """One destination's; from any thread."""

    def __init__(self, ledger: Ledger, destination: str) -> None:
        self._ledger = ledger
        self._destination = destination
        self._unrecorded: deque[Attempt] = deque()

    @property
    def is_behind(self) -> bool:
        """The ledger could not be told of everything."""
        return bool(self._unrecorded)

    def record(self, attempt: Attempt) -> Future[None]:
        future = self._ledger.finish([attempt])
        future.add_done_callback(lambda done: self._recorded(attempt, done.exception()))
        return future

    def try_again(self) -> None:
        for _ in range(len(self._unrecorded)):
            self.record(self._unrecorded.popleft())

    def _recorded(self, attempt: Attempt, error: BaseException | None) -> None:
        if error is not None:
            log.error("delivery.unrecorded destination=%s reason=%s", self._destination, error)
            self._unrecorded.append(attempt)
