"""Connections before they are associations: one thread reads the requests of all of them."""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.wire.pdv import INVALID_PARAMETER, PDU_HEADER, UNEXPECTED_PDU, UNRECOGNIZED_PDU

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.wire.limits import AcceptorLimits

log = logging.getLogger("router.wire")

_A_ASSOCIATE_RQ = 1
_SHORTEST_REQUEST = 68  # the fixed fields of an A-ASSOCIATE-RQ, PS3.8 table 9-11
_HEADER = 6
_ACCEPTS_PER_TURN = 64
_PAUSE = 0.5  # seconds without accepting when the process has no descriptors left
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_DISCARD = 64 * 1024
_CLOSE, _RETIRE = b"\0", b"\1"

Address = tuple[str, int]


@dataclass(eq=False)
class _Pending:
    """A connection whose A-ASSOCIATE-RQ is not all there, or that was answered and is to close."""

    socket: socket.socket
    address: Address
    deadline: float
    needed: int = _HEADER
    received: bytearray = field(default_factory=bytearray)
    closing: bool = False


class Lobby:
    """Accepts, reads A-ASSOCIATE-RQs without blocking, and hands whole ones over.

    `admit(connection, address, request)` takes a connection; if it returns bytes instead, they
    are sent (A-ASSOCIATE-RJ) and the connection is closed. Silent connections cost a descriptor
    and go after ARTIM, or earlier when there are too many: the oldest first.
    """

    def __init__(
        self,
        listener: socket.socket,
        limits: AcceptorLimits,
        admit: Callable[[socket.socket, Address, bytes], bytes | None],
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._limits = limits
        self._admit = admit
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._pending: dict[int, _Pending] = {}  # by descriptor, in order of their deadlines
        self._bytes = 0
        self._resume_at: float | None = None
        self._listening = True
        self._thread = threading.Thread(target=self._run, name="lobby", daemon=True)

    def start(self) -> None:
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    def retire(self) -> None:
        """Stop listening; what is pending is still read, then the thread ends."""
        self._waker.send(_RETIRE)

    @property
    def ended(self) -> bool:
        """The thread has ended; `close` what it leaves."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop listening, drop what is pending, wait for the thread."""
        if self._thread.is_alive():
            self._waker.send(_CLOSE)
            self._thread.join()
        for resource in (self._selector, self._listener, self._wake, self._waker):
            resource.close()

    def _run(self) -> None:
        while self._listening or self._pending:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._wake:
                    if _CLOSE in self._wake.recv(_DISCARD):
                        while self._pending:
                            self._drop(self._oldest())
                        return
                    self._stop_listening()
                elif key.fileobj is self._listener:
                    self._accept()
                elif (pending := self._pending.get(key.fd)) is not None:
                    self._read(pending)
            self._expire()

    def _stop_listening(self) -> None:
        """Who is in the queue has connected: closing the socket would reset them."""
        if self._resume_at is None:
            self._selector.unregister(self._listener)
        while self._accept():
            pass
        self._resume_at = None
        self._listener.close()
        self._listening = False

    def _patience(self) -> float | None:
        """Seconds until something has to be done without anybody's asking."""
        due = [self._resume_at] if self._resume_at is not None else []
        if self._pending:
            due.append(next(iter(self._pending.values())).deadline)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _expire(self) -> None:
        now = time.monotonic()
        while self._pending and (oldest := self._oldest()).deadline <= now:
            self._drop(oldest)
        if self._resume_at is not None and self._resume_at <= now:
            self._resume_at = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> bool:
        """Whether there may be more."""
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._pause(error)
                    return False
                continue  # this connection is gone already
            connection.setblocking(False)
            pending = _Pending(connection, plain_address(address), self._deadline())
            self._pending[connection.fileno()] = pending
            self._selector.register(connection, selectors.EVENT_READ)
            if len(self._pending) > self._limits.pending_connections:
                self._drop(self._oldest())
        return True

    def _pause(self, error: OSError) -> None:
        """Out of descriptors: make room, and let be for a moment what cannot be accepted."""
        log.warning("listener.paused why=%r pending=%d", error.strerror, len(self._pending))
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._listener)
        self._resume_at = time.monotonic() + _PAUSE
        if self._pending:
            self._drop(self._oldest())

    def _read(self, pending: _Pending) -> None:
        try:
            if pending.closing:
                data = pending.socket.recv(_DISCARD)
            else:
                data = pending.socket.recv(pending.needed - len(pending.received))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(pending)
        elif not pending.closing:
            pending.received += data
            self._bytes += len(data)
            self._proceed(pending)
            while self._bytes > self._limits.pending_bytes:
                self._drop(self._oldest())

    def _proceed(self, pending: _Pending) -> None:
        if len(pending.received) < pending.needed:
            return
        if pending.needed == _HEADER:
            kind, length = PDU_HEADER.unpack(pending.received)
            pending.needed += length
            if kind != _A_ASSOCIATE_RQ:
                known = 2 <= kind <= 7
                self._abort(pending, UNEXPECTED_PDU if known else UNRECOGNIZED_PDU)
            elif not _SHORTEST_REQUEST <= length <= self._limits.association_request:
                self._abort(pending, INVALID_PARAMETER)
            return
        self._forget(pending)
        answer = self._admit(pending.socket, pending.address, bytes(pending.received))
        if answer is not None:
            self._answer(pending, answer)

    def _abort(self, pending: _Pending, reason: int) -> None:
        log.info("connection.aborted address=%s reason=%d", pending.address[0], reason)
        self._forget(pending)
        self._answer(pending, struct.pack(">BxLxxBB", 7, 4, 2, reason))

    def _answer(self, pending: _Pending, pdu: bytes) -> None:
        """Send, then wait for the peer to close: closing first may reset away what was sent."""
        with contextlib.suppress(OSError):
            pending.socket.send(pdu)
        pending.closing = True
        pending.received.clear()
        pending.deadline = self._deadline()
        self._pending[pending.socket.fileno()] = pending
        self._selector.register(pending.socket, selectors.EVENT_READ)

    def _deadline(self) -> float:
        return time.monotonic() + self._limits.artim

    def _oldest(self) -> _Pending:
        return next(iter(self._pending.values()))

    def _forget(self, pending: _Pending) -> None:
        self._selector.unregister(pending.socket)
        del self._pending[pending.socket.fileno()]
        self._bytes -= len(pending.received)

    def _drop(self, pending: _Pending) -> None:
        self._forget(pending)
        pending.socket.close()


def plain_address(address: tuple[str | int, ...]) -> Address:
    """Host and port; an IPv4 peer of an IPv6 listener by its IPv4 address."""
    return str(address[0]).removeprefix("::ffff:"), int(address[1])
