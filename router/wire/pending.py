"""A connection that is no association yet, or not any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.wire.pdv import PDU_HEADER

if TYPE_CHECKING:
    import socket
    import ssl

DISCARD = 64 * 1024  # bytes read at a time of what nobody wants

Address = tuple[str, int]


@dataclass(eq=False)
class Pending:
    """A connection whose A-ASSOCIATE-RQ is not all there, or that was answered and is to close."""

    socket: socket.socket
    address: Address
    deadline: float
    needed: int = PDU_HEADER.size
    received: bytearray = field(default_factory=bytearray)
    closing: bool = False
    tls: ssl.SSLContext | None = None  # until the handshake is done

    @property
    def bytes_wanted(self) -> int:
        return DISCARD if self.closing else self.needed - len(self.received)


def plain_address(address: tuple[str | int, ...]) -> Address:
    """Host and port; an IPv4 peer of an IPv6 listener by its IPv4 address."""
    return str(address[0]).removeprefix("::ffff:"), int(address[1])
