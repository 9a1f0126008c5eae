"""What has to be done now and then: done files go, old rows go, released instances are routed."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.intake import route_released

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.routing import Generation
    from router.spool import Spool

log = logging.getLogger("router.spool")

_EVERY = 5.0  # seconds


class Housekeeping(threading.Thread):
    """One thread, some work at a time; a failure is logged and tried again."""

    def __init__(
        self, spool: Spool, current: Callable[[], Generation], also: Callable[[], None]
    ) -> None:
        """`also` is what else is to be done now and then."""
        super().__init__(name="housekeeping", daemon=True)
        self._spool = spool
        self._current = current
        self._also = also
        self._wake = threading.Event()
        self._stopping = False
        spool.ledger.subscribe(self._told)

    def run(self) -> None:
        while not self._stopping:
            try:
                self._tidy()
            except Exception:  # of many kinds; a thread that ended would never be missed
                log.exception("housekeeping.failed")
            self._wake.wait(_EVERY)
            self._wake.clear()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self.join()

    def _told(self, topics: set[str]) -> None:
        if "instances" in topics:
            self._wake.set()

    def _tidy(self) -> None:
        self._also()
        generation = self._current()
        settings = generation.config.spool
        self._spool.record_again()
        route_released(self._spool.ledger, generation)
        while not self._stopping and self._spool.expire(settings.retain):
            continue
        self._spool.make_room(settings.keep_free)
        before = datetime.now(UTC) - timedelta(seconds=settings.history)
        while not self._stopping and self._spool.ledger.forget(before).result():
            continue
