"""Many peers at once: silent ones cost nothing, and limits count only real associations."""

import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from router.wire import (
    Acceptor,
    AcceptorLimits,
    AssociationAborted,
    AssociationRejected,
    ConnectionLost,
    Response,
)
from router.wire.lobby import Lobby
from tests.wire.peers import (
    CT,
    ECHO,
    IMPLICIT,
    VERIFICATION,
    RawPeer,
    Recorder,
    associate_request,
    pdu,
    pdv,
    store_command,
)


def test_silent_connections_cost_no_thread_and_no_association(listen, ask):
    acceptor = listen(maximum_associations=1)
    threads = threading.active_count()
    silent = [RawPeer.to(acceptor.port) for _ in range(300)]
    assert ask(acceptor.port).echo() == Response(0)
    assert threading.active_count() <= threads + 1
    assert acceptor.associations <= 1
    for peer in silent:
        peer.close()


def test_a_silent_connection_may_still_ask(listen, recorder):
    acceptor = listen()
    crowd = [RawPeer.to(acceptor.port) for _ in range(50)]
    crowd[0].send(associate_request()[:40])
    for peer in crowd[1:]:
        peer.send(associate_request())
        assert peer.receive()[0] == 2
    crowd[0].send(associate_request()[40:])
    assert crowd[0].receive()[0] == 2
    for peer in crowd:
        peer.close()


def test_the_oldest_silent_connection_goes_when_there_are_too_many(listen):
    acceptor = listen(pending_connections=3)
    crowd = [RawPeer.to(acceptor.port) for _ in range(4)]
    assert crowd[0].receive() == (0, b"")
    for peer in crowd[1:]:
        peer.send(associate_request())
        assert peer.receive()[0] == 2
    for peer in crowd:
        peer.close()


def test_unfinished_requests_share_one_allowance(listen):
    acceptor = listen(pending_bytes=100_000)
    request = pdu(1, bytes(60_000))
    crowd = [RawPeer.to(acceptor.port) for _ in range(2)]
    crowd[0].send(request[:50_000])
    crowd[1].send(request[:59_999])
    assert crowd[0].receive() == (0, b"")
    crowd[1].send(request[59_999:])
    assert crowd[1].receive()[0] == 3  # for what it says, but it was read
    for peer in crowd:
        peer.close()


def test_over_the_limit_is_rejected_for_now_and_accepted_later(listen, ask, wait_until):
    acceptor = listen(maximum_associations=2)
    first, second = ask(acceptor.port), ask(acceptor.port)
    with pytest.raises(AssociationRejected) as caught:
        ask(acceptor.port)
    rejected = caught.value
    assert (rejected.result, rejected.source, rejected.reason) == (2, 3, 2)
    assert second.echo() == Response(0)
    first.release()
    wait_until(lambda: acceptor.associations == 1)
    assert ask(acceptor.port).echo() == Response(0)


def test_twenty_associations_at_once_keep_their_data_apart(listen, ask, recorder):
    port = listen().port

    def send(number: int) -> None:
        association = ask(port)
        for size in (10, 100_000):
            data = bytes([number]) * size
            assert association.store(1, CT, f"1.2.{number}", [data]) == Response(0)
        association.release()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(send, range(20)))
    assert len(recorder.stores) == 40
    assert len(recorder.threads) == 20
    for kept in recorder.stores:
        number = int(kept.request.sop_instance_uid.rpartition(".")[2])
        assert set(kept.data) == {number}


def test_a_listener_out_of_descriptors_pauses_and_recovers(listen, caplog, wait_until):
    acceptor = listen()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    silent = []
    # Opened while that is possible: whoever takes the last descriptor, one more has to be accepted.
    last = socket.socket()
    with RawPeer.associated(acceptor.port) as working:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (working.socket.fileno() + 20, hard))
            try:
                while True:
                    silent.append(RawPeer.to(acceptor.port))
            except OSError:
                last.connect(("127.0.0.1", acceptor.port))
                silent.append(RawPeer(last))
                wait_until(lambda: "listener.paused" in caplog.text)
            working.send(ECHO)
            assert working.status() == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for peer in silent:
        peer.close()
    with RawPeer.associated(acceptor.port) as peer:
        peer.send(ECHO)
        assert peer.status() == 0


def test_closing_a_listener_lets_associations_go_on(listen, ask, recorder):
    acceptor = listen()
    association = ask(acceptor.port)
    with RawPeer.to(acceptor.port) as silent:
        acceptor.close()
        assert silent.receive() == (0, b"")
    assert association.store(1, CT, "1.2.3", [b"data"]) == Response(0)
    association.release()
    acceptor.drain(20)
    assert acceptor.associations == 0
    assert recorder.endings == ["released"]


def test_draining_aborts_what_does_not_end(listen, ask, recorder):
    acceptor = listen()
    association = ask(acceptor.port)
    with RawPeer.associated(acceptor.port) as half_way:
        half_way.send(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(b"data", 0)))
        acceptor.close()
        acceptor.drain(0)
        assert half_way.receive()[0] == 7
    assert acceptor.associations == 0
    assert recorder.endings == ["aborted", "aborted"]
    with pytest.raises((AssociationAborted, ConnectionLost)):
        association.echo()


def test_a_new_service_takes_new_associations_only(listen, ask, recorder):
    acceptor = listen()
    old = ask(acceptor.port)
    successor = Recorder()
    acceptor.service = successor
    new = ask(acceptor.port, [(VERIFICATION, [IMPLICIT]), (CT, [IMPLICIT])])
    old.store(1, CT, "1.2.3", [b"old"])
    new.store(3, CT, "1.2.3", [b"new"])
    assert [bytes(kept.data) for kept in recorder.stores] == [b"old"]
    assert [bytes(kept.data) for kept in successor.stores] == [b"new"]


def test_an_ipv6_listener_tells_ipv4_peers_by_their_address(recorder):
    acceptor = Acceptor("::", 0, recorder)
    acceptor.start()
    RawPeer.associated(acceptor.port).close()
    acceptor.close()
    acceptor.drain(0)
    assert recorder.requests[0].address == "127.0.0.1"


class Failing:
    """Fails over the first connection, and says no to the others."""

    def __init__(self) -> None:
        self.limits = AcceptorLimits()
        self.tls = None
        self.asked = 0

    def admit(self, connection: object, address: object, request: bytes) -> bytes:
        self.asked += 1
        if self.asked == 1:
            raise ZeroDivisionError
        return pdu(3, bytes([0, 2, 3, 2]))

    def turned_away(self, address: str, why: str) -> None:
        raise AssertionError


def test_what_fails_over_one_connection_does_not_concern_the_next(caplog):
    host = Failing()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    lobby = Lobby(listener, host)
    lobby.start()
    with RawPeer.to(port) as first, RawPeer.to(port) as second:
        first.send(associate_request())
        assert first.receive() == (0, b"")
        second.send(associate_request())
        assert second.receive()[0] == 3
    lobby.close()
    assert "connection.failed address=127.0.0.1 error=ZeroDivisionError" in caplog.text
