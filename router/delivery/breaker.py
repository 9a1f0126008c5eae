"""How much a destination can take now: how many associations at once, or silence and a probe."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Outage:
    """Since when a destination fails, how often it was tried, and what it said last."""

    since: datetime
    failures: int
    reason: str


class Breaker:
    """A window of associations, as Postfix has for each destination; none while it is dead.

    The window begins with 1 and grows by 1 once as many objects in a row went well as it is wide,
    up to `limit`. A failure makes it narrower at once. When associations failed one after the
    other until none was left, with nothing delivered in between, the destination is dead: silence
    of `first` to `longest` seconds, longer each time, and one try after each.

    Not locked: its Backlog holds the lock. Times are of the monotonic clock unless they are shown.
    """

    def __init__(self, first: float, longest: float, limit: int = 1) -> None:
        self._first = first
        self._longest = longest
        self._limit = limit
        self._succeeded = 0  # in a row, since the window last changed
        self._failed = 0.0  # in a row, in parts of the associations that were open
        self._setbacks = 0  # failures that were no outage, since a long time without any
        self._set_back_at = 0.0
        self._grow_at = 0.0
        self._retry_at = 0.0
        self.window = 1
        self.outage: Outage | None = None

    def waits(self, now: float) -> float:
        """Seconds until the next try; 0 when it may be tried."""
        return max(0.0, self._retry_at - now) if self.outage else 0.0

    def failed(self, reason: str, now: float, clock: datetime, in_use: int = 1) -> float:
        """Remember that one of `in_use` associations failed; the seconds of silence that follow,
        0 when others still work.

        What fails during the silence was under way when it began: it is the same failure.
        """
        if self.outage and (left := self.waits(now)):
            self.outage = replace(self.outage, reason=reason)
            return left
        self.window = max(1, min(self.window, in_use) - 1)
        self._succeeded = 0
        self._failed += 1 / in_use
        if self._failed < 1:
            # A peer that takes fewer associations than it is offered is asked for one more now
            # and then, not after every few objects.
            lately = now - self._set_back_at <= 2 * self._longest
            self._setbacks = self._setbacks + 1 if lately else 1
            self._set_back_at = now
            self._grow_at = now + self._pause(self._setbacks)
            return 0.0
        failures = self.outage.failures + 1 if self.outage else 1
        since = self.outage.since if self.outage else clock
        self.outage = Outage(since, failures, reason)
        self.window = 1
        silence = self._pause(failures)
        self._retry_at = now + silence
        return silence

    def worked(self, now: float = 0.0) -> Outage | None:
        """An object went through; returns the outage that is over, if there was one."""
        over, self.outage = self.outage, None
        self._failed = 0.0
        if self.window < self._limit and now >= self._grow_at:
            self._succeeded += 1
            if self._succeeded >= self.window:
                self._succeeded = 0
                self.window += 1
        return over

    def try_now(self) -> None:
        """Somebody says that it is worth trying: do not wait out the silence."""
        self._retry_at = 0.0

    def _pause(self, times: int) -> float:
        # Spread, so that destinations that died together are not tried together (full jitter would
        # let the first retry come at once, into a peer that is just restarting).
        longest: float = min(self._first * 2 ** min(times - 1, 32), self._longest)
        return longest * random.uniform(0.75, 1.0)
