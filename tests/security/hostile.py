"""Ways for an association to come to nothing, each as different from the last as a peer can be."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.wire.peers import (
    ABORT,
    CT,
    EXPLICIT,
    IMPLICIT,
    RawPeer,
    associate_request,
    item,
    pdu,
    pdv,
    store_command,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS = (0, 3, 6, 7)  # closed, rejected, released, aborted: it is our turn to close
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: to close is to reset


def _uid(chance: random.Random) -> str:
    """Some UID, sometimes none that may be one."""
    text = f"1.2.{chance.randrange(10**12)}"
    return text if chance.random() < 0.5 else text + chance.choice([".", ".00", "x", "\n", "=1"])


def _title(chance: random.Random) -> bytes:
    return chance.randbytes(16) if chance.random() < 0.3 else b"A%015d" % chance.randrange(10**15)


def _request(chance: random.Random, called: bytes = b"ROUTER".ljust(16)) -> bytes:
    contexts = [(CT, [EXPLICIT, IMPLICIT]), (_uid(chance), [_uid(chance), EXPLICIT])]
    version = item(0x55, chance.randbytes(chance.randrange(20)))
    return associate_request(contexts, called=called, calling=_title(chance), extra=version)


def _says(peer: RawPeer, *parts: bytes) -> None:
    for part in parts:
        peer.send(part)
    while peer.receive()[0] not in ENDS:
        pass


def nothing(peer: RawPeer, chance: random.Random) -> None:
    """Connects, and goes."""


def another_protocol(peer: RawPeer, chance: random.Random) -> None:
    _says(peer, b"GET /%d HTTP/1.1\r\n\r\n" % chance.randrange(10**9))


def not_decodable(peer: RawPeer, chance: random.Random) -> None:
    request = bytearray(_request(chance))
    request[74 + 2 : 74 + 4] = chance.randbytes(2)
    _says(peer, bytes(request), ABORT)


def rejected(peer: RawPeer, chance: random.Random) -> None:
    _says(peer, _request(chance, called=_title(chance)), ABORT)


def aborted(peer: RawPeer, chance: random.Random) -> None:
    _says(peer, _request(chance), ABORT)


def broken_off(peer: RawPeer, chance: random.Random) -> None:
    """A reset in the middle of a data set."""
    peer.send(_request(chance))
    peer.receive()
    peer.send(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(bytes(9000), 0)))
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def out_of_place(peer: RawPeer, chance: random.Random) -> None:
    _says(peer, _request(chance), pdu(chance.randrange(8), chance.randbytes(8)))


def unreadable(peer: RawPeer, chance: random.Random) -> None:
    """A data set that is none, and another service's message."""
    message = pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(chance.randbytes(500), 2))
    _says(peer, _request(chance), message, pdu(4, pdv(chance.randbytes(60), 3)), ABORT)


KINDS: list[Callable[[RawPeer, random.Random], None]] = [
    *(nothing, another_protocol, not_decodable, rejected, aborted),
    *(broken_off, out_of_place, unreadable),
]


def associations(port: int, count: int, seed: int) -> None:
    """So many that fail, one after the other."""
    chance = random.Random(seed)
    for number in range(count):
        with RawPeer.to(port) as peer, suppress(OSError):
            KINDS[number % len(KINDS)](peer, chance)
