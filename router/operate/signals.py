"""SIGTERM and SIGINT end the router in good order; who asks once more gets it ended at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Supervisors send SIGTERM to the process and to its group: twice within a second is no impatience.
_SAME_REQUEST = 1.0


class Stopping:
    """Waited for by the main thread; made there too, as only it may handle signals.

    The kernel may give a signal to any thread, and Python runs handlers in the main one only, which
    is woken through a socket: a lock it waits for would keep it from ever hearing of the signal.
    """

    def __init__(self) -> None:
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        self._asked_at: float | None = None
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def request(self) -> None:
        """Ask for it from any thread."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        self._wake()

    def wait(self) -> None:
        """Until somebody asks."""
        while self._asked_at is None:
            self._heard.recv(64)

    def run(self, ending: Callable[[], None]) -> None:
        """End in good order, in a thread, while signals are still listened to."""
        done = threading.Event()

        def end() -> None:
            try:
                ending()
            finally:
                done.set()
                self._wake()

        threading.Thread(target=end, name="stopping").start()
        while not done.is_set():
            self._heard.recv(64)

    def _wake(self) -> None:
        try:
            self._told.send(b"\0")
        except BlockingIOError:
            return  # there is enough to wake it already

    def _signalled(self, number: int, _: object) -> None:
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        elif number == signal.SIGINT or time.monotonic() - self._asked_at > _SAME_REQUEST:
            os._exit(1)
