"""Says that a destination goes without, as more waits for it than it may: once a minute each."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict

log = logging.getLogger("router.spool")

FULL = "more waits for it than its spool_limit"
SAY_EVERY = 60.0  # seconds


class FullDestinations:
    """Counts what was discarded; used by the writer's thread."""

    def __init__(self) -> None:
        self._discarded: Counter[str] = Counter()
        self._said: defaultdict[str, float] = defaultdict(lambda: -math.inf)

    def note(self, destination: str) -> None:
        self._discarded[destination] += 1
        now = time.monotonic()
        if now - self._said[destination] >= SAY_EVERY:
            self._said[destination] = now
            log.error(
                "destination.full destination=%s discarded=%d: its spool_limit is reached",
                destination, self._discarded.pop(destination),
            )  # fmt: skip
