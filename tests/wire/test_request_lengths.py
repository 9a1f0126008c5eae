"""Every length inside an A-ASSOCIATE-RQ, wrong: an answer, an end, and the next one is served."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import seeds
from tests.wire.peers import CT, ECHO, FIND, IMPLICIT, RawPeer, associate_request, item

if TYPE_CHECKING:
    from collections.abc import Iterator

_ITEMS = 74  # where the items begin in the PDU (PS3.8 table 9-11)
_NESTED = {0x20: 4, 0x50: 0}  # items that hold items, from which byte of their content on
# Within the content of user information sub-items, where a length is (PS3.7 D.3.3).
_INNER = {0x54: (0,), 0x56: (0,), 0x57: (0,), 0x58: (2, 8)}
_REQUEST = next(said for said in seeds.requests() if b"\x58\0" in said)
REQUEST = _REQUEST[: int.from_bytes(_REQUEST[2:6]) + 6]


def lengths(request: bytes, at: int = _ITEMS, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where a length of two bytes is, and the type of its item."""
    end = len(request) if end is None else end
    while at < end:
        kind, length = struct.unpack_from(">BxH", request, at)
        yield at + 2, kind
        if kind in _NESTED:
            yield from lengths(request, at + 4 + _NESTED[kind], at + 4 + length)
        yield from ((at + 4 + inner, kind) for inner in _INNER.get(kind, ()))
        at += 4 + length


PLACES = list(lengths(REQUEST))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[1]:02X}-at-{place[0]}")
def test_a_wrong_length_is_answered(listen, recorder, place):
    at = place[0]
    (length,) = struct.unpack_from(">H", REQUEST, at)
    acceptor = listen(artim=5)
    for wrong in sorted({(length - 1) % 65536, length + 1, 0, 65535}):
        request = REQUEST[:at] + struct.pack(">H", wrong) + REQUEST[at + 2 :]
        with RawPeer.to(acceptor.port) as peer:
            peer.send(request)
            kind = peer.receive()[0]
            assert kind in (2, 3, 7), wrong
            if kind == 2:  # it still made sense: so does what follows
                with suppress(OSError):
                    peer.send(ECHO)
                    assert peer.receive()[0] in (4, 7)
    with RawPeer.associated(acceptor.port) as peer:
        peer.send(ECHO)
        assert peer.status() == 0


def test_the_length_of_the_request_itself_is_wrong(listen):
    acceptor = listen(artim=0.5)
    for wrong in (len(REQUEST) - 7, len(REQUEST) - 5, 0, 65535, 0xFFFFFFFF):
        with RawPeer.to(acceptor.port) as peer:
            with suppress(OSError):
                peer.send(REQUEST[:2] + struct.pack(">L", wrong) + REQUEST[6:])
            assert peer.receive()[0] in (0, 2, 3, 7)  # 0: the rest of it never came


def many_of(kind: int, content: bytes, count: int) -> bytes:
    return associate_request(extra=item(kind, content) * count)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(many_of(0x52, b"1.2.3.4", 100), id="a class UID again and again"),
        pytest.param(many_of(0x51, bytes(4), 100), id="a maximum length again and again"),
        pytest.param(many_of(0x54, b"\0\x19" + CT.encode() + b"\1\1", 1000), id="1,000 roles"),
        pytest.param(many_of(0x56, b"\0\x19" + CT.encode() + b"\0\1\0\0", 1000), id="extended"),
        pytest.param(associate_request([(FIND, [IMPLICIT])] * 128), id="128 contexts"),
        pytest.param(associate_request([(CT, [IMPLICIT] * 200)] * 8), id="200 transfer syntaxes"),
        pytest.param(associate_request([]), id="no contexts"),
        pytest.param(associate_request([("", [""])]), id="empty UIDs"),
    ],
)
def test_more_than_anybody_needs_is_answered(listen, request_):
    acceptor = listen(artim=5)
    with RawPeer.to(acceptor.port) as peer:
        peer.send(request_)
        assert peer.receive()[0] in (2, 3, 7)
    with RawPeer.associated(acceptor.port) as peer:
        peer.send(ECHO)
        assert peer.status() == 0
