"""A listening port: who connects, who becomes an association, and how they all end."""

from __future__ import annotations

import itertools
import logging
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from router.wire.census import Census
from router.wire.incoming import tell, where
from router.wire.limits import AcceptorLimits
from router.wire.lobby import Lobby
from router.wire.seldom import Seldom
from router.wire.serving import ServedAssociation

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from router.wire.pending import Address
    from router.wire.service import Service

log = logging.getLogger("router.wire")

# Rejected for now, by the provider (presentation): PS3.8 table 9-21.
_CONGESTION = struct.pack(">BxLxBBB", 3, 4, 2, 3, 1)
_LIMIT_EXCEEDED = struct.pack(">BxLxBBB", 3, 4, 2, 3, 2)
_ABORTING = 5.0  # seconds for the threads of aborted associations to end


class Acceptor:
    """Accepts associations on a port, each served by a thread of its own.

    `service`, `limits` and `tls` may be replaced at any time: connections made from then on are
    the new one's.
    """

    def __init__(
        self,
        bind: str,
        port: int,
        service: Service,
        limits: AcceptorLimits | None = None,
        beside: Iterable[Acceptor] = (),
        tls: ssl.SSLContext | None = None,
        census: Census | None = None,
    ) -> None:
        """Binds at once: `OSError` if the address is taken or not ours; not by those `beside` it,
        which are to go when it has started (where the platform has SO_REUSEPORT).
        """
        self.service = service
        self.limits = limits or AcceptorLimits()
        self.tls = tls
        self._census = census or Census()
        sharing = [each for each in beside if hasattr(socket, "SO_REUSEPORT")]
        for each in sharing:
            each._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        family, _, _, _, address = socket.getaddrinfo(
            bind or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._listener: socket.socket = socket.create_server(
            address[:2],
            family=family,
            backlog=self.limits.backlog,
            reuse_port=bool(sharing),
            dualstack_ipv6=family == socket.AF_INET6 and address[0] == "::",
        )
        self.port: int = self._listener.getsockname()[1]
        self._lobby = Lobby(self._listener, self)
        self._live: set[ServedAssociation] = set()
        self._changed = threading.Condition()
        self._seldom = Seldom()
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Acceptor port {self.port}, {self.associations} associations>"

    @property
    def associations(self) -> int:
        """How many there are; connections that have not asked for one do not count."""
        return len(self._live)

    def start(self) -> None:
        self._lobby.start()

    def close(self) -> None:
        """Stop listening; associations go on."""
        self._lobby.close()

    def retire(self) -> None:
        """Stop listening without waiting; associations go on, and who has connected may still
        open one. To be closed when it is `idle`.
        """
        self._lobby.retire()

    @property
    def idle(self) -> bool:
        """Retired, and nobody is left."""
        return self._lobby.ended and not self._live

    def drain(self, timeout: float) -> None:
        """Wait for the associations to end; abort those left after `timeout` seconds."""
        if self._wait_for_none(timeout):
            return
        with self._changed:
            left = list(self._live)
        for association in left:
            association.stream.interrupt()
        if not self._wait_for_none(_ABORTING):
            log.warning("listener.drained port=%d left=%d", self.port, self.associations)

    def _wait_for_none(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._live, max(0.0, deadline - time.monotonic())
            )

    def admit(self, connection: socket.socket, address: Address, request: bytes) -> bytes | None:
        """Start the association's thread, on the lobby's; or the PDU to answer instead."""
        limits, who = self.limits, address[0]
        if self._census.asks_too_often(who, limits.requests_per_minute):
            self.turned_away(who, "it asks more often than it may")
            return _CONGESTION
        if self.associations >= limits.maximum_associations or not self._census.enter(
            who, limits.associations_per_address
        ):
            self.turned_away(who, "as many associations are open as may be")
            return _LIMIT_EXCEEDED
        try:
            association = ServedAssociation(connection, address, limits)
        except OSError:  # the peer has gone
            self._census.leave(who)
            connection.close()
            return None
        with self._changed:
            self._live.add(association)
        thread = threading.Thread(
            target=self._serve,
            args=(association, request, self.service),
            name=f"association-{self.port}-{next(self._numbers)}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:  # no threads left
            self._ended(association)
            return _LIMIT_EXCEEDED
        return None

    def turned_away(self, address: str, why: str) -> None:
        """Say once a minute of each address that it came to nothing, and tell the service."""
        before = self._seldom.ask(address)
        if before is not None:
            log.warning(
                "association.rejected port=%d address=%s why=%r unsaid=%d",
                *(self.port, address, why, before),
            )
            tell(self.service.turned_away, address, why)

    def _serve(self, association: ServedAssociation, request: bytes, service: Service) -> None:
        try:
            association.serve(request, service)
        except Exception as error:
            log.error("association.crashed error=%s", where(error))
        finally:
            self._ended(association)

    def _ended(self, association: ServedAssociation) -> None:
        self._census.leave(association.address)
        with self._changed:
            self._live.discard(association)
            self._changed.notify_all()
