"""Whether what is written can still be trusted to last: the first failed sync ends that."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger("router.spool")


class Health:
    """Shared by the spool's files and its ledger; once failed, failed until the restart.

    After a failed sync Linux marks the lost pages clean and lets the next sync succeed: only
    reading everything back, which is what a restart does, tells what is there.
    """

    def __init__(self) -> None:
        self.failed: str | None = None
        self._lock = threading.Lock()

    def fail(self, reason: str) -> None:
        with self._lock:
            if self.failed is not None:
                return
            self.failed = reason
        log.critical("spool.failed reason=%r: restart to accept again", reason)
