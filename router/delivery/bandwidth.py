"""How fast a destination is sent to: a token bucket that all its lanes draw from."""

from __future__ import annotations

import math

_BURST = 1.0  # seconds' worth that may be sent at once


class Bandwidth:
    """Objects go out whole, at the speed of the line; then there is silence until the rate is kept.

    Not locked: its Backlog holds the lock. Times are of the monotonic clock.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate  # bytes per second
        self._tokens = _BURST * rate if rate < math.inf else 0.0
        self._counted = 0.0

    def waits(self, now: float) -> float:
        """Seconds until the next object may be sent."""
        if self._rate == math.inf:
            return 0.0
        earned = (now - self._counted) * self._rate
        self._tokens = min(self._tokens + earned, _BURST * self._rate)
        self._counted = now
        return max(-self._tokens / self._rate, 0.0)

    def spend(self, size: int) -> None:
        """An object of so many bytes is sent; the bucket may be owed the rest."""
        if self._rate < math.inf:
            self._tokens -= size
