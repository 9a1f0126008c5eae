"""Passcodes guessed by a crowd: each guess costs something, and nobody else pays for it."""

from __future__ import annotations

import struct
import threading

import psutil
import pytest

from router.config.passcodes import hashed
from router.wire import Peer, Response, Timeouts, connect
from tests.story.conftest import run_router, started  # noqa: F401
from tests.wire.peers import IMPLICIT, VERIFICATION, RawPeer, associate_request, item

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  users: {port: 0, bind: 127.0.0.1, accept: {user: users}}
  plain: {port: 0, bind: 127.0.0.1}
destinations:
  vna: {type: folder, directory: ./vna}
routes:
  - {name: all, to: [vna]}
"""
ACCEPTED, REJECTED = 2, 3
CROWD, GUESSES = 12, 3
MOST = 120 * 1024 * 1024  # bytes; two are computed at a time, 16 MiB each


@pytest.fixture
def router(run_router, tmp_path):  # noqa: F811
    (tmp_path / "router").mkdir()
    users = tmp_path / "router" / "users"
    users.write_text(f"ct1:{hashed('right')}\n")
    users.chmod(0o600)
    return run_router(CONFIG)


def identify(port: int, passcode: bytes) -> int:
    """The kind of PDU that answers user `ct1` with a passcode (PS3.7 D.3.3.7)."""
    name, code = (struct.pack(">H", len(text)) + text for text in (b"ct1", passcode))
    with RawPeer.to(port) as peer:
        peer.send(associate_request(extra=item(0x58, b"\2\0" + name + code)))
        kind, _ = peer.receive()
    return kind


def test_who_knows_a_passcode_and_who_needs_none_get_in_beside_those_who_guess(router):
    users, plain = router.port("users"), router.port("plain")
    assert identify(users, b"wrong") == REJECTED
    process = psutil.Process(router.process.pid)
    before = process.memory_info().rss
    answers = []

    def guess(number: int) -> None:
        answers.extend(identify(users, b"%d-%d" % (number, each)) for each in range(GUESSES))

    crowd = [threading.Thread(target=guess, args=(number,)) for number in range(CROWD)]
    for thread in crowd:
        thread.start()
    assert identify(users, b"right") == ACCEPTED
    peer = Peer("127.0.0.1", plain, "ROUTER", "CT1")
    association = connect(peer, [(VERIFICATION, [IMPLICIT])], timeouts=Timeouts(60, 60, 60))
    assert association.echo() == Response(0)
    association.release()
    for thread in crowd:
        thread.join(120)
    assert answers == [REJECTED] * (CROWD * GUESSES)
    assert process.memory_info().rss - before < MOST
    assert identify(users, b"right") == ACCEPTED
