"""How many there are of something, by key, for caps: shared by all listeners of a router."""

from __future__ import annotations

import threading
import time
from collections import Counter

_MINUTE = 60.0
EVERYBODY = ""


class Census:
    """Counts who is in; `most` is what may be in altogether."""

    def __init__(self, most: int = 2**31) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._in: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()  # in the current minute
        self._minute = 0

    def __repr__(self) -> str:
        return f"<Census {self._in[EVERYBODY]} of {self.most}>"

    def asks_too_often(self, key: str, per_minute: int) -> bool:
        """Count a request, and whether there are more of this key in a minute than may be."""
        minute = int(time.monotonic() / _MINUTE)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._asked.clear()
            self._asked[key] += 1
            return self._asked[key] > per_minute

    def enter(self, key: str, most: int | None) -> bool:
        """Whether one more of this key may be in, and is from now on; None: of it any number."""
        with self._lock:
            of_key = self.most if most is None else most
            if self._in[EVERYBODY] >= self.most or self._in[key] >= of_key:
                if not self._in[key]:
                    del self._in[key]
                return False
            self._in.update((EVERYBODY, key))
            return True

    def leave(self, key: str) -> None:
        with self._lock:
            self._in.subtract((EVERYBODY, key))
            if not self._in[key]:
                del self._in[key]
