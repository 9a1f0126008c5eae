"""Acceptors that are closed again whatever a test did, and scripted servers for our requestor."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from router.wire import Acceptor, AcceptorLimits, OutgoingAssociation, Pace, Peer, Timeouts, connect
from tests.wire.peers import CT, IMPLICIT, VERIFICATION, RawPeer, Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def listen(recorder: Recorder) -> Iterator[Callable[..., Acceptor]]:
    """`listen(limits...)` starts an acceptor for the recorder; at the end nothing of it is left."""
    acceptors: list[Acceptor] = []

    def start(**limits: object) -> Acceptor:
        acceptor = Acceptor("127.0.0.1", 0, recorder, AcceptorLimits(**limits))  # type: ignore[arg-type]
        acceptors.append(acceptor)
        acceptor.start()
        return acceptor

    yield start
    for acceptor in acceptors:
        acceptor.close()
        acceptor.drain(0)
        assert acceptor.associations == 0


@pytest.fixture
def ask(scripted: object) -> Iterator[Callable[..., OutgoingAssociation]]:
    """`ask(port)` opens an association, aborted before the scripts' end is awaited."""
    opened: list[OutgoingAssociation] = []

    def open_(port: int, contexts: object = None, **timeouts: object) -> OutgoingAssociation:
        proposed = contexts or [(CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT])]
        association = connect(
            Peer("127.0.0.1", port, "ROUTER", "TEST"),
            proposed,  # type: ignore[arg-type]
            timeouts=Timeouts(**timeouts),  # type: ignore[arg-type]
        )
        opened.append(association)
        return association

    yield open_
    for association in opened:
        association.abort()


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[RawPeer], None]], int]]:
    """`scripted(script)` plays `script` to the first connection; the port it listens on."""
    servers: list[tuple[socket.socket, threading.Thread]] = []

    def serve(script: Callable[[RawPeer], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(20)

        def play() -> None:
            connection, _ = server.accept()
            with RawPeer(connection) as peer:
                script(peer)

        thread = threading.Thread(target=play)
        servers.append((server, thread))
        thread.start()
        return int(server.getsockname()[1])

    yield serve
    for server, thread in servers:
        thread.join(20)
        server.close()
        assert not thread.is_alive()


@pytest.fixture
def impatient() -> Pace:
    return Pace(stall=0.3, minimum_rate=1000)
