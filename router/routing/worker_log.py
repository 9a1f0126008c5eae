"""Log records of the workers, on their way to the router's own log: a datagram each.

A worker can be killed at any moment: a `multiprocessing.Queue` would stay locked for all others.
"""

from __future__ import annotations

import json
import logging
import socket
import threading

from router.routing.failures import describe

_LONGEST_MESSAGE = 8192  # characters, of six bytes each at most
_DATAGRAM = 1 << 16  # bytes


class DatagramHandler(logging.Handler):
    """Sends records; drops them rather than wait when the router does not read fast enough."""

    def __init__(self, sender: socket.socket) -> None:
        super().__init__()
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        try:
            withhold_exception_text(record)
            fields = {
                "name": record.name,
                "levelno": record.levelno,
                "levelname": record.levelname,
                "msg": record.getMessage()[:_LONGEST_MESSAGE],
                "created": record.created,
            }
            datagram = json.dumps(fields, ensure_ascii=False).encode(errors="replace")
            if len(datagram) <= _DATAGRAM:
                self._sender.send(datagram, socket.MSG_DONTWAIT)
        except (OSError, ValueError, TypeError):
            pass  # a plugin's record that cannot be written must not fail the plugin's hook


class LogReceiver:
    """Hands the records that come through `sender` to this process's loggers of the same names."""

    def __init__(self) -> None:
        self._receiver, self.sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run, name="worker-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read what has been sent, then stop."""
        self.sender.send(b"")
        self._thread.join()
        self.sender.close()
        self._receiver.close()

    def _run(self) -> None:
        while datagram := self._receiver.recv(_DATAGRAM):
            record = logging.makeLogRecord(json.loads(datagram))
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(record)


def withhold_exception_text(record: logging.LogRecord) -> bool:
    """As a logging filter: an exception's text may name a patient, its type and place do not."""
    if record.exc_info and record.exc_info[1]:
        record.msg = f"{record.getMessage()}: {describe(record.exc_info[1])}"
        record.args = None
    record.exc_info = record.exc_text = record.stack_info = None
    return True
