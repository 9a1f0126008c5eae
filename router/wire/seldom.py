"""What would fill a log when somebody repeats it: said once in a while for each peer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST_KEYS = 10_000


class Seldom:
    """Lets each key speak once in `interval` seconds, and counts what it kept to itself."""

    def __init__(self, interval: float = 60.0) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, int]] = OrderedDict()  # last said, since then

    def ask(self, key: str) -> int | None:
        """How often it was kept quiet since it last spoke; None: it is to be quiet this time."""
        now = time.monotonic()
        with self._lock:
            said, count = self._kept.get(key, (-self._interval, 0))
            if now - said < self._interval:
                self._kept[key] = said, count + 1
                return None
            self._kept[key] = now, 0
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_KEYS:
                self._kept.popitem(last=False)
            return count
