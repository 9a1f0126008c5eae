"""One association's TCP connection: a receive buffer, scattered sends, and bounded waiting."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from router.wire.errors import AssociationAborted, ConnectionLost, PeerTimeout
from router.wire.limits import RECEIVE_BUFFER, RECEIVE_BUFFER_MAXIMUM
from router.wire.secure import SecureSocket, why_refused

if TYPE_CHECKING:
    from router.wire.limits import Pace
    from router.wire.waking import Waker

IOV_MAXIMUM = 1000  # Linux takes 1024 buffers in one sendmsg
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_CLOSING = getattr(select, "POLLRDHUP", 0)
_A_ABORT = 7
_PDU_HEADER = struct.Struct(">BxL")


class Stream:
    """A non-blocking socket read through a buffer; `buffer[start:end]` is received but unread.

    Waiting within a message is limited by a `Pace`, see there. poll, not select: a router has
    more than 1024 descriptors.
    """

    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.socket = connection
        self.buffer = bytearray(RECEIVE_BUFFER)
        self.view = memoryview(self.buffer)
        self.start = 0
        self.end = 0
        self.waker: Waker | None = None  # ends the wait for the next message early
        self._stall = pace.stall
        self._earning = 1 / pace.minimum_rate
        self._patience = pace.stall
        self._interrupted = False
        self._closing = threading.Lock()  # nobody else's descriptor is shut down
        self._broken_off = False
        self._secure = isinstance(connection, SecureSocket)
        self._poll = select.poll()
        self._poll.register(connection)

    @property
    def pending(self) -> bool:
        """There are bytes in the buffer."""
        return self.start < self.end

    @property
    def room(self) -> int:
        return len(self.buffer) - self.end

    def readable(self, timeout: float) -> bool:
        """Wait for the peer to say something or close, at most `timeout` seconds."""
        if self._secure and (self.pending or self._arrives(0.0)):
            return True
        if self.waker is not None and not self.pending and timeout > 0:
            arrived = self._wait_or_wake(self.waker, timeout)
            if not arrived or not self._secure:
                return arrived
            timeout = 0.0
        if self._secure:
            return self._arrives(timeout)
        return self.pending or bool(self._wait(select.POLLIN, timeout))

    def _arrives(self, timeout: float) -> bool:
        """Whether there is something to read: not every TLS record holds some of the peer's bytes,
        and what is decrypted already does not show on the descriptor.
        """
        self.start = self.end = 0
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.end = self.socket.recv_into(self.view)
            except BlockingIOError:
                if not self._wait(select.POLLIN, deadline - time.monotonic()):
                    return False
            except OSError as error:  # an alert is told once
                raise ConnectionLost(f"connection lost: {why_refused(error)}") from error
            else:
                return True

    def restore_patience(self) -> None:
        """A message or PDU begins: its allowance of waiting is full again."""
        self._patience = self._stall

    def receive(self) -> None:
        """Add what has arrived to the buffer, waiting for it; raises when there is no more."""
        while True:
            self._check_interrupted()
            try:
                count = self.socket.recv_into(self.view[self.end :])
            except BlockingIOError:
                self._patience = self._spend(self._patience, select.POLLIN)
                continue
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error
            if not count:
                raise ConnectionLost("the peer closed the connection")
            self.end += count
            self._patience = min(self._stall, self._patience + count * self._earning)
            return

    def compact(self, *, grow: bool) -> None:
        """Move what is unread to the front. No view of the buffer may be in use."""
        unread = self.end - self.start
        if grow and len(self.buffer) < RECEIVE_BUFFER_MAXIMUM:
            grown = bytearray(RECEIVE_BUFFER_MAXIMUM)
            grown[:unread] = self.view[self.start : self.end]
            self.buffer, self.view = grown, memoryview(grown)
        elif unread:
            self.view[:unread] = bytes(self.view[self.start : self.end])
        self.start, self.end = 0, unread

    def send(
        self,
        views: list[bytes | memoryview],
        *,
        heed_abort: bool = False,
        stall: float = math.inf,
    ) -> None:
        """Send all of `views` (which is used up), however often the kernel takes only a part.

        With `heed_abort` what arrives meanwhile is read, as far as there is room: a peer may not
        read on before its responses are. An A-ABORT among it ends it with `ConnectionLost`. All
        of it is left in the buffer, which begins with a PDU. `stall` may shorten the pace's. After
        a failure nothing more can be sent: the peer would take it for the rest of what it was
        promised.
        """
        if self._broken_off:
            raise ConnectionLost("broken off while sending")
        self._broken_off = True
        patience = min(self._stall, stall)
        events = select.POLLOUT | _CLOSING | (select.POLLIN if heed_abort else 0)
        at = 0
        while at < len(views):
            try:
                sent = self.socket.sendmsg(views[at : at + IOV_MAXIMUM])
            except BlockingIOError:
                patience = self._spend(patience, events)
                events = self._heed(events)
                continue
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error
            patience = min(self._stall, patience + sent * self._earning)
            while at < len(views) and sent >= len(views[at]):
                sent -= len(views[at])
                at += 1
            if sent:
                views[at] = memoryview(views[at])[sent:]
        self._broken_off = False

    def discard_until_closed(self, timeout: float) -> None:
        """Wait for the peer to close, so that our close is no reset that destroys what we sent."""
        deadline = time.monotonic() + timeout
        self.start = self.end = 0
        try:
            while (left := deadline - time.monotonic()) > 0 and not self._interrupted:
                if self._wait(select.POLLIN, left) and not self.socket.recv_into(self.view):
                    return
        except (OSError, AssociationAborted):
            return

    def interrupt(self) -> None:
        """End whatever the association's thread waits for with `AssociationAborted`.

        The one method that another thread may call.
        """
        self._interrupted = True
        with self._closing, contextlib.suppress(OSError):  # closed already
            self.socket.shutdown(socket.SHUT_RD)  # wakes poll; the A-ABORT can still be sent

    def forgive_interrupt(self) -> None:
        """What follows is the A-ABORT that the interruption asked for."""
        self._interrupted = False

    def close(self) -> None:
        """Close, and let go of the buffer: pynetdicom's objects wait for the garbage collector."""
        with self._closing:
            self.socket.close()
        self.buffer = bytearray()
        self.view = memoryview(self.buffer)
        self.start = self.end = 0

    def _heed(self, events: int) -> int:
        """Read what arrived while sending; the events worth waiting for from then on."""
        if events & select.POLLIN and not self.pending:
            self.start = self.end = 0
        while events & select.POLLIN and self.room:
            try:
                count = self.socket.recv_into(self.view[self.end :])
            except BlockingIOError:
                return events
            except OSError as error:
                raise ConnectionLost(f"connection lost: {error.strerror or error}") from error
            self.end += count
            if not count or self._holds_abort():
                raise ConnectionLost("the peer ended the association")
        return events & ~select.POLLIN

    def _holds_abort(self) -> bool:
        """Whether one of the PDUs in the buffer is an A-ABORT."""
        at = self.start
        while at + _PDU_HEADER.size <= self.end:
            kind, length = _PDU_HEADER.unpack_from(self.buffer, at)
            if kind == _A_ABORT:
                return True
            at += _PDU_HEADER.size + length
        return False

    def _spend(self, patience: float, events: int) -> float:
        """Wait for one of `events`; what is left of `patience`."""
        began = time.monotonic()
        if not self._wait(events, patience):
            doing = "stopped reading" if events & select.POLLOUT else "stopped within a message"
            raise PeerTimeout(f"the peer {doing}, or is slower than allowed")
        return patience - (time.monotonic() - began)

    def _wait_or_wake(self, waker: Waker, timeout: float) -> bool:
        """Whether the peer has said something, or closed."""
        both = select.poll()
        both.register(self.socket, select.POLLIN)
        both.register(waker.descriptor, select.POLLIN)
        happened = dict(both.poll(max(0.0, timeout) * 1000))
        self._check_interrupted()
        if waker.descriptor in happened:
            waker.clear()
        return self.socket.fileno() in happened

    def _wait(self, events: int, timeout: float) -> int:
        if events & select.POLLIN and timeout > 0 and _QUICKACK is not None:
            # Not sticky. A peer with Nagle's algorithm on would else wait 40 ms for our ACK
            # between the two small writes of a message.
            self.socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self._poll.modify(self.socket, events)
        happened = self._poll.poll(max(0.0, timeout) * 1000)
        self._check_interrupted()
        got = happened[0][1] if happened else 0
        if events & select.POLLOUT and got & _CLOSING and not got & select.POLLIN & events:
            raise ConnectionLost("the peer closed the connection")
        return got

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise AssociationAborted("aborted by us: no time left")
