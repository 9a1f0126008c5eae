"""What DCMTK and others really say, recorded, changed, and said again to a running router."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import suppress

import psutil
import pytest
from pydicom.data import get_testdata_file

from tests.fuzz.mutation import mutations
from tests.security.test_leaks import CONFIG
from tests.security.test_malformed import BROKEN
from tests.story.peers import until
from tests.wire.peers import ECHO, RawPeer

IMAGES = [get_testdata_file("CT_small.dcm"), get_testdata_file("JPEG2000.dcm")]
TOOLS = [
    ["echoscu"],
    ["storescu", "-xv"],
    ["storescu", "-R"],
    ["findscu", "-S", "-k", "PatientID"],
]


def recorded(port: int, command: list[str]) -> bytes:
    """What a tool says to the router, which it reaches through us."""
    said = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def pass_on() -> None:
            with server.accept()[0] as peer, RawPeer.to(port).socket as router:
                back = threading.Thread(target=copy, args=(router, peer))
                back.start()
                copy(peer, router, said)
                back.join()

        thread = threading.Thread(target=pass_on)
        thread.start()
        images = IMAGES if command[0] == "storescu" else []
        target = ["-aec", "ROUTER", "127.0.0.1", str(server.getsockname()[1])]
        environment = os.environ | {"TCP_NODELAY": "1"}
        subprocess.run([*command, *target, *images], capture_output=True, env=environment)
        thread.join()
    return bytes(said)


def copy(source: socket.socket, target: socket.socket, kept: bytearray | None = None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if kept is not None:
                kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def replay(site, count: int) -> None:
    router, _ = site(CONFIG, "pacs")
    port = router.port("modalities")
    real = [recorded(port, tool) for tool in TOOLS]
    assert all(real)
    process = psutil.Process(router.process.pid)
    for said in mutations(real, count, seed=count):
        with RawPeer.to(port) as peer, suppress(OSError):
            peer.send(said)
            peer.socket.shutdown(socket.SHUT_WR)
            while peer.socket.recv(65536):
                pass
    with RawPeer.associated(port) as peer:
        peer.send(ECHO)
        assert peer.status() == 0
    events = router.log.read_text()
    assert not [what for what in BROKEN if what in events]
    until(lambda: process.num_fds() < 100, "their descriptors are closed")
    until(lambda: process.num_threads() < 60, "their threads have ended")


@pytest.mark.usefixtures("dcmtk")
def test_real_associations_changed_in_hundreds_of_ways(site):
    replay(site, 300)


@pytest.mark.soak
@pytest.mark.usefixtures("dcmtk")
def test_real_associations_changed_in_twenty_thousand_ways(site):
    replay(site, 20_000)
