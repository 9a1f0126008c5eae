"""Exchanges with a few bytes changed, the same ones in every run: all come to an orderly end."""

import random
import socket
import struct
from contextlib import suppress

import pytest

from router.wire import Pace, Response, WireError, command
from tests.wire.peers import (
    ABORT,
    CT,
    ECHO,
    FIND,
    IMPLICIT,
    RELEASE_REQUEST,
    RELEASE_RESPONSE,
    VERIFICATION,
    RawPeer,
    associate_request,
    item,
    pdu,
    pdv,
    store_command,
    store_message,
)

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as outside of tests

CONTEXTS = [(CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT]), (FIND, [IMPLICIT])]
FIELDS = [0x10, 0x20, 0x21, 0x30, 0x100, 0x110, 0x120, 0x130, 0x140, 0x150, 0xFFF, 0x8001, 0x8020]
NUMBERS = [0, 1, 2, 6, 7, 8, 100, 131072, 132097, 0x7FFFFFFF, 0xFFFFFFFF]


def changed(said: bytes, random: random.Random) -> bytes:
    """`said` with one to three changes."""
    changing = bytearray(said)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(changing) + 1)
        match random.randrange(5):
            case 0:
                changing[at : at + 1] = random.randbytes(1)
            case 1:
                changing[at : at + 4] = struct.pack(">L", random.choice(NUMBERS))
            case 2:
                del changing[at : at + random.choice([1, 2, 4, 100])]
            case 3:
                changing[at:at] = random.randbytes(random.choice([1, 2, 4, 16]))
            case 4:
                changing[at:at] = changing[: random.choice([6, 12, 40])]
    return bytes(changing)


def other_service(random: random.Random) -> bytes:
    """A message that is neither C-STORE nor C-ECHO, with elements that may not belong there."""
    elements = command.decode(store_command()).elements
    elements |= {0x0003: CT.encode() + b"\0", 0x0120: b"\1\0", 0x0900: b"\0\0", 0x1008: b"\1\0"}
    chosen = random.sample(sorted(elements), random.randint(1, len(elements)))
    kept = {e: elements[e] for e in {0x0110, 0x0800, *chosen}}
    kept[0x0100] = struct.pack("<H", random.choice(FIELDS))
    encoded = b"".join(struct.pack("<HHL", 0, e, len(v)) + v for e, v in sorted(kept.items()))
    if random.random() < 0.5:
        encoded = changed(encoded, random)
    return pdu(4, pdv(encoded, 3, 5) + pdv(b"\x08\0\x52\0\0\0\0\0", 2, 5))


def requestor(random: random.Random) -> bytes:
    """All that a requestor says, something of it changed."""
    parts = [
        associate_request(CONTEXTS, maximum_pdu=random.choice([None, 0, 1, 7, 16384])),
        ECHO,
        other_service(random),
        store_message(b"0123456789"),
        other_service(random),
        random.choice([RELEASE_REQUEST, ABORT, b""]),
    ]
    which = random.randrange(len(parts))
    parts[which] = changed(parts[which], random)
    if random.random() < 0.2:
        parts.insert(which, random.choice(parts))
    return b"".join(parts)


def test_a_listener_survives_whatever_is_said(listen, recorder, caplog, wait_until):
    chance = random.Random(1)
    acceptor = listen(artim=5)
    for _ in range(500):
        with RawPeer.to(acceptor.port) as peer:
            with suppress(OSError):
                peer.send(requestor(chance))
                peer.socket.shutdown(socket.SHUT_WR)
            while kind := peer.receive()[0]:
                assert 2 <= kind <= 7
    wait_until(lambda: acceptor.associations == 0)
    assert "association.crashed" not in caplog.text
    assert len(recorder.requests) == len(recorder.endings) > 200
    assert len(recorder.stores) > 100
    assert all(len(kept.endings) == 1 for kept in recorder.stores)
    with RawPeer.associated(acceptor.port) as peer:
        peer.send(ECHO)
        assert peer.status() == 0


def acceptor_parts() -> list[bytes]:
    """What an acceptor says to the first C-STORE and C-ECHO of an association, and its release."""
    request = associate_request()[6:]
    accepted = request[:68] + item(0x10, b"1.2.840.10008.3.1.1.1")
    for context_id in (1, 3):
        accepted += item(0x21, struct.pack(">Bxxx", context_id) + item(0x40, IMPLICIT.encode()))
    accepted += item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4"))
    stored = command.encode_response(command.decode(store_command(1)), Response(0))
    echo = command.decode(command.encode_echo_request(2, VERIFICATION))
    echoed = command.encode_response(echo, Response(0))
    return [
        pdu(2, accepted),
        pdu(4, pdv(stored, 3)),
        pdu(4, pdv(echoed, 3, 3)),
        RELEASE_RESPONSE,
    ]


def test_an_association_we_open_fails_only_in_the_ways_it_says(ask, scripted):
    chance = random.Random(1)
    succeeded = 0
    for _ in range(100):
        parts = acceptor_parts()
        which = chance.randrange(len(parts))
        parts[which] = changed(parts[which], chance)

        def play(peer, parts=parts):
            with suppress(OSError):
                for pdus, part in zip((1, 2, 1, 1), parts, strict=True):
                    for _ in range(pdus):
                        peer.receive()
                    peer.send(part)

        timeouts = {"association": 0.2, "response": 0.2, "pace": Pace(0.2)}
        try:
            association = ask(scripted(play), **timeouts)
            association.store(1, CT, "1.2.3", [b"data"])
            association.echo()
        except (WireError, ValueError):  # ValueError: no context for Verification
            continue
        association.release()
        assert not association.is_open
        succeeded += 1
    assert 20 < succeeded < 80
