"""Whether a destination is worth trying: silence after failures, longer each time, then a probe."""

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
    """Closed while deliveries succeed; after a failure open for `first` to `longest` seconds.

    Not locked: its Backlog holds the lock. Times are of the monotonic clock unless they are shown.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._retry_at = 0.0
        self.outage: Outage | None = None

    def waits(self, now: float) -> float:
        """Seconds until the next try; 0 when it may be tried."""
        return max(0.0, self._retry_at - now) if self.outage else 0.0

    def failed(self, reason: str, now: float, clock: datetime) -> float:
        """Remember a failure of the destination; returns the seconds of silence that follow.

        What fails during the silence was under way when it began: it is the same failure.
        """
        if self.outage and (left := self.waits(now)):
            self.outage = replace(self.outage, reason=reason)
            return left
        failures = self.outage.failures + 1 if self.outage else 1
        since = self.outage.since if self.outage else clock
        self.outage = Outage(since, failures, reason)
        # Spread, so that destinations that died together are not tried together (full jitter would
        # let the first retry come at once, into a peer that is just restarting).
        exponent = min(failures - 1, 32)
        silence: float = min(self._first * 2**exponent, self._longest) * random.uniform(0.75, 1.0)
        self._retry_at = now + silence
        return silence

    def worked(self) -> Outage | None:
        """Close again; returns the outage that is over, if there was one."""
        over, self.outage = self.outage, None
        return over

    def try_now(self) -> None:
        """Somebody says that it is worth trying: do not wait out the silence."""
        self._retry_at = 0.0
