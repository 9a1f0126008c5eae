"""Connections before they are associations: one thread reads the requests of all of them."""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import ssl
import struct
import threading
import time
from typing import TYPE_CHECKING

from router.wire.incoming import where
from router.wire.pdv import INVALID_PARAMETER, PDU_HEADER, UNEXPECTED_PDU, UNRECOGNIZED_PDU
from router.wire.pending import DISCARD, Pending, plain_address
from router.wire.secure import SecureSocket, secured, why_refused

if TYPE_CHECKING:
    from typing import Protocol

    from router.wire.limits import AcceptorLimits
    from router.wire.pending import Address

    class Host(Protocol):
        """What a lobby asks of its acceptor."""

        limits: AcceptorLimits
        tls: ssl.SSLContext | None

        def admit(
            self, connection: socket.socket, address: Address, request: bytes
        ) -> bytes | None:
            """Take the connection; bytes are sent instead (A-ASSOCIATE-RJ), and it is closed."""

        def turned_away(self, address: str, why: str) -> None:
            """A connection was no association: TLS failed."""


log = logging.getLogger("router.wire")

_A_ASSOCIATE_RQ = 1
_SHORTEST_REQUEST = 68  # the fixed fields of an A-ASSOCIATE-RQ, PS3.8 table 9-11
_ACCEPTS_PER_TURN = 64
_PAUSE = 0.5  # seconds without accepting when the process has no descriptors left
_MOST_FAILURES = 10  # what does not pass by then may be well in a new process
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_CLOSE, _RETIRE = b"\0", b"\1"


class Lobby:
    """Accepts, does TLS handshakes and reads A-ASSOCIATE-RQs without blocking, and hands whole
    requests over.

    Silent connections cost a descriptor and go after ARTIM, or earlier when there are too many:
    the oldest first. ARTIM begins anew after a TLS handshake.
    """

    def __init__(self, listener: socket.socket, host: Host) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._host = host
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._pending: dict[int, Pending] = {}  # by descriptor, in order of their deadlines
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
        failures = 0  # in a row
        while self._listening or self._pending:
            try:
                if self._turn():
                    return
                failures = 0
            except Exception as error:  # nobody else would accept associations
                log.critical("listener.failed error=%s", where(error))
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
                time.sleep(_PAUSE)

    def _turn(self) -> bool:
        """Deal with what has happened; whether it was `close`."""
        for key, _ in self._selector.select(self._patience()):
            if key.fileobj is self._wake:
                if _CLOSE in self._wake.recv(DISCARD):
                    while self._pending:
                        self._drop(self._oldest())
                    return True
                self._stop_listening()
            elif key.fileobj is self._listener:
                self._accept()
            elif (pending := self._pending.get(key.fd)) is not None:
                self._ready(pending)
        self._expire()
        return False

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
            pending = Pending(
                connection, plain_address(address), self._deadline(), tls=self._host.tls
            )
            self._wait_for(pending)
            if len(self._pending) > self._host.limits.pending_connections:
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

    def _ready(self, pending: Pending) -> None:
        try:
            if pending.tls is None or self._shake_hands(pending, pending.tls):
                while self._read(pending):  # to the end: TLS may have decrypted more than asked for
                    pass
        except Exception as error:  # it must not be this one's again and again
            log.error("connection.failed address=%s error=%s", pending.address[0], where(error))
            if pending in self._pending.values():
                self._forget(pending)
            pending.socket.close()

    def _shake_hands(self, pending: Pending, context: ssl.SSLContext) -> bool:
        """Go on with the handshake; whether it is done. Until somebody speaks, it costs nothing."""
        try:
            if not isinstance(pending.socket, SecureSocket):
                pending.socket = secured(pending.socket, context)
            pending.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._selector.modify(pending.socket, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._selector.modify(pending.socket, selectors.EVENT_WRITE)
        except OSError as error:
            self._refuse_tls(pending, error)
        else:
            self._forget(pending)
            pending.tls, pending.deadline = None, self._deadline()
            self._wait_for(pending)
            return True
        return False

    def _refuse_tls(self, pending: Pending, error: OSError) -> None:
        """The alert is sent already, and must not be overtaken by a reset."""
        self._host.turned_away(pending.address[0], f"TLS: {why_refused(error)}")
        self._forget(pending)
        if pending.socket.fileno() < 0:  # it was gone before it began
            return
        pending.socket = socket.socket(fileno=pending.socket.detach())
        pending.tls = None
        with contextlib.suppress(OSError):
            pending.socket.shutdown(socket.SHUT_WR)
        self._see_off(pending)

    def _read(self, pending: Pending) -> bool:
        """Whether there may be more."""
        try:
            data = pending.socket.recv(pending.bytes_wanted)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._drop(pending)
            return False
        if pending.closing:
            return False
        pending.received += data
        self._bytes += len(data)
        self._proceed(pending)
        while self._bytes > self._host.limits.pending_bytes:
            self._drop(self._oldest())
        return self._pending.get(pending.socket.fileno()) is pending

    def _proceed(self, pending: Pending) -> None:
        if len(pending.received) < pending.needed:
            return
        if pending.needed == PDU_HEADER.size:
            kind, length = PDU_HEADER.unpack(pending.received)
            pending.needed += length
            if kind != _A_ASSOCIATE_RQ:
                known = 2 <= kind <= 7
                self._abort(pending, UNEXPECTED_PDU if known else UNRECOGNIZED_PDU)
            elif not _SHORTEST_REQUEST <= length <= self._host.limits.association_request:
                self._abort(pending, INVALID_PARAMETER)
            return
        self._forget(pending)
        answer = self._host.admit(pending.socket, pending.address, bytes(pending.received))
        if answer is not None:
            self._answer(pending, answer)

    def _abort(self, pending: Pending, reason: int) -> None:
        log.info("connection.aborted address=%s reason=%d", pending.address[0], reason)
        self._forget(pending)
        self._answer(pending, struct.pack(">BxLxxBB", 7, 4, 2, reason))

    def _answer(self, pending: Pending, pdu: bytes) -> None:
        """Send, then wait for the peer to close: closing first may reset away what was sent."""
        with contextlib.suppress(OSError):
            pending.socket.send(pdu)
        self._see_off(pending)

    def _see_off(self, pending: Pending) -> None:
        pending.closing = True
        pending.received.clear()
        pending.deadline = self._deadline()
        self._wait_for(pending)

    def _deadline(self) -> float:
        return time.monotonic() + self._host.limits.artim

    def _oldest(self) -> Pending:
        return next(iter(self._pending.values()))

    def _wait_for(self, pending: Pending) -> None:
        number = pending.socket.fileno()
        if (gone := self._pending.get(number)) is not None:  # closed by somebody else
            self._forget(gone)
            gone.socket.detach()  # the number is not its own any more
        self._selector.register(pending.socket, selectors.EVENT_READ)
        self._pending[number] = pending

    def _forget(self, pending: Pending) -> None:
        key = self._selector.unregister(pending.socket)
        del self._pending[key.fd]
        self._bytes -= len(pending.received)

    def _drop(self, pending: Pending) -> None:
        self._forget(pending)
        pending.socket.close()
