"""Notices that files of the configuration have other bytes now, however they came to have them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from watchfiles import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.files import Files

_LOOK_EVERY = 2000  # ms without a notice: a network file system gives none
_GATHER = 50  # ms
_QUIET = 0.15  # seconds without a change: whoever writes is not half-way
_LONGEST = 5.0  # seconds of changes; then what is there counts


class Watching(threading.Thread):
    """Calls `changed` when one of the current files has, until stopped.

    Directories are watched, not files: an editor's `os.replace` and the symbolic links that
    Kubernetes swaps put another file in the place, and notices name neither. What they name is
    ignored; bytes are compared.
    """

    def __init__(self, current: Callable[[], Files], changed: Callable[[], None]) -> None:
        super().__init__(name="watching", daemon=True)
        self._current = current
        self._changed = changed
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._watch(self._current())

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _watch(self, files: Files) -> None:
        """Until the files are others, or the directories may be."""
        notices = watch(
            *files.directories,
            watch_filter=None,
            debounce=4 * _GATHER,
            step=_GATHER,
            stop_event=self._stopping,
            rust_timeout=_LOOK_EVERY,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
            ignore_permission_denied=True,
        )
        if files.changed():  # before the watching began
            self._tell(files)
        for notice in notices:
            if files.changed():
                self._tell(files)
            if self._current() is not files or not notice:
                return

    def _tell(self, files: Files) -> None:
        deadline = time.monotonic() + _LONGEST
        before = None
        while (now := files.moment()) != before and time.monotonic() < deadline:
            before = now
            if self._stopping.wait(_QUIET):
                return
        self._changed()
