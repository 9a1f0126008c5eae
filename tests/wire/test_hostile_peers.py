"""What peers that mean harm, or are broken, get from a listener: an end, and nothing else."""

import socket
import struct
import time

import pytest

from router.wire import Pace, command
from tests.wire.peers import (
    ABORT,
    CT,
    ECHO,
    IMPLICIT,
    RELEASE_REQUEST,
    RawPeer,
    associate_request,
    pdu,
    pdv,
    store_command,
    store_message,
)

UNRECOGNIZED, UNEXPECTED, UNEXPECTED_PARAMETER, INVALID = 1, 2, 5, 6
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: to close is to reset


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: router\r\n\r\n", UNRECOGNIZED, id="HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", UNRECOGNIZED, id="TLS"),
        pytest.param(struct.pack(">BxL", 1, 0xFFFFFFF0), INVALID, id="4 GiB request"),
        pytest.param(struct.pack(">BxL", 1, 128 * 1024 + 1), INVALID, id="request over the cap"),
        pytest.param(struct.pack(">BxL", 1, 10) + bytes(10), INVALID, id="request too short"),
        pytest.param(struct.pack(">BxL", 4, 0xFFFFFFF0), UNEXPECTED, id="4 GiB P-DATA"),
        pytest.param(store_message(b"data"), UNEXPECTED, id="P-DATA first"),
        pytest.param(RELEASE_REQUEST, UNEXPECTED, id="release first"),
        pytest.param(ABORT, UNEXPECTED, id="abort first"),
    ],
)
def test_anything_but_a_request_is_aborted_by_the_provider(listen, recorder, said, reason):
    with RawPeer.to(listen().port) as peer:
        peer.send(said)
        assert peer.receive() == (7, bytes([0, 0, 2, reason]))
    assert recorder.requests == []


def undecodable_request() -> bytes:
    request = bytearray(associate_request())
    request[74 + 2 : 74 + 4] = b"\xff\xff"  # the length of the application context item
    return bytes(request)


def test_an_undecodable_request_is_aborted(listen, recorder):
    with RawPeer.to(listen().port) as peer:
        peer.send(undecodable_request())
        assert peer.receive()[0] == 7
    assert recorder.requests == []


def test_an_undecodable_request_of_a_peer_that_has_gone_is_nothing_special(listen, caplog):
    acceptor = listen()
    for _ in range(100):
        with RawPeer.to(acceptor.port) as peer:
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.send(undecodable_request())
    acceptor.close()
    acceptor.drain(20)
    assert "association.crashed" not in caplog.text


@pytest.mark.parametrize("at", range(6, len(associate_request())))
def test_a_request_with_one_odd_byte_gets_an_answer(listen, at):
    request = bytearray(associate_request())
    request[at] ^= 0xFF
    with RawPeer.to(listen().port) as peer:
        peer.send(bytes(request))
        assert peer.receive()[0] in (2, 3, 7)


def test_another_protocol_version_is_rejected_for_good(listen):
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request(version=2))
        assert peer.receive() == (3, bytes([0, 1, 2, 2]))


def test_three_bytes_and_silence_end_after_artim(listen):
    with RawPeer.to(listen(artim=0.2).port) as peer:
        peer.send(b"\x01\x00\x00")
        assert peer.receive() == (0, b"")


def test_a_request_in_drips_ends_after_artim(listen):
    with RawPeer.to(listen(artim=0.3).port) as peer:
        peer.socket.settimeout(0.02)
        received = None
        for byte in associate_request():
            try:
                peer.send(bytes([byte]))
                received = peer.socket.recv(1)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                received = b""
                break
        assert received == b""


BROKEN = [
    pytest.param(pdu(4, b"", length=0xFFFFFFF0), INVALID, id="4 GiB PDU"),
    pytest.param(pdu(4, b"", length=128 * 1024 + 1025), INVALID, id="PDU over the maximum"),
    pytest.param(pdu(4, b""), INVALID, id="empty PDU"),
    pytest.param(pdu(4, b"\0\0\0"), INVALID, id="PDU shorter than a PDV header"),
    pytest.param(pdu(4, pdv(b"abcd", 3, length=100)), INVALID, id="PDV overruns its PDU"),
    pytest.param(pdu(4, pdv(b"abcd", 3, length=0xFFFFFFFF)), INVALID, id="PDV of 4 GiB"),
    pytest.param(pdu(4, pdv(b"abcd", 3, length=1)), INVALID, id="PDV without a control header"),
    pytest.param(pdu(4, pdv(b"ab", 3) + b"\0\0"), INVALID, id="rubbish behind the last PDV"),
    pytest.param(pdu(4, pdv(store_command(), 3, 99)), INVALID, id="unknown context"),
    pytest.param(pdu(4, pdv(b"data", 2)), UNEXPECTED_PARAMETER, id="data set without command"),
    pytest.param(
        pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(store_command(), 3)),
        UNEXPECTED_PARAMETER,
        id="command where its data set should be",
    ),
    pytest.param(
        pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(b"data", 2, 3)),
        UNEXPECTED_PARAMETER,
        id="data set in another context",
    ),
    pytest.param(pdu(4, pdv(bytes(8000), 1)) * 9, INVALID, id="endless command set"),
    pytest.param(pdu(4, pdv(b"", 1)) * 1100, INVALID, id="endless empty fragments"),
    pytest.param(pdu(4, pdv(b"", 3)), INVALID, id="empty command set"),
    pytest.param(pdu(4, pdv(b"no command", 3)), INVALID, id="command set of rubbish"),
    pytest.param(pdu(4, pdv(store_command()[:-3], 3)), INVALID, id="command set cut short"),
    pytest.param(pdu(9, bytes(4)), UNRECOGNIZED, id="unknown PDU type"),
    pytest.param(pdu(7, b"", length=0xFFFFFFF0), INVALID, id="4 GiB abort"),
]


@pytest.mark.parametrize(("said", "reason"), BROKEN)
def test_a_broken_message_is_aborted_with_the_reason(listen, recorder, said, reason, wait_until):
    with RawPeer.associated(listen().port) as peer:
        peer.send(said)
        assert peer.receive() == (7, bytes([0, 0, 2, reason]))
    wait_until(lambda: recorder.endings == ["aborted"])
    assert all(kept.endings == ["abandoned"] for kept in recorder.stores)


@pytest.mark.parametrize("kind", [1, 2, 3, 6])
def test_a_control_pdu_out_of_place_is_aborted(listen, recorder, kind, wait_until):
    body = {1: associate_request()[6:], 2: associate_request()[6:]}.get(kind, bytes(4))
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(kind, body))
        assert peer.receive()[0] == 7
    wait_until(lambda: recorder.endings == ["aborted"])


def test_a_command_set_without_message_id_is_aborted(listen):
    elements = command.decode(store_command()).elements
    del elements[0x0110]
    encoded = b"".join(struct.pack("<HHL", 0, e, len(v)) + v for e, v in elements.items())
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(encoded, 3)))
        assert peer.receive() == (7, bytes([0, 0, 2, INVALID]))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x04\x00\x00", id="within a header"),
        pytest.param(pdu(4, pdv(store_command(), 3)), id="between command and data set"),
        pytest.param(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(b"data", 0)), id="in the data"),
        pytest.param(pdu(5, b"\0\0", length=4), id="within a release"),
    ],
)
def test_silence_within_a_message_costs_only_patience(
    listen, recorder, impatient, said, wait_until
):
    with RawPeer.associated(listen(pace=impatient).port) as peer:
        peer.send(said)
        assert peer.receive()[0] == 7
    wait_until(lambda: recorder.endings == ["timeout"])
    assert [kept.endings for kept in recorder.stores] in ([], [["abandoned"]])


def test_a_trickle_of_data_is_silence_too(listen, recorder, impatient, wait_until):
    with RawPeer.associated(listen(pace=impatient).port) as peer:
        peer.send(pdu(4, pdv(store_command(), 3)) + pdu(4, b"", length=10000))
        peer.socket.settimeout(0.05)
        for byte in pdv(bytes(9994), 2):
            try:
                peer.send(bytes([byte]))
                peer.socket.recv(10)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        wait_until(lambda: recorder.endings == ["timeout"])
    assert recorder.stores[0].endings == ["abandoned"]


def test_a_slow_but_steady_peer_is_waited_for(listen):
    with RawPeer.associated(listen(pace=Pace(stall=0.5, minimum_rate=100)).port) as peer:
        peer.send(
            pdu(4, pdv(store_command(), 3)) + pdu(4, b"", length=2006) + pdv(bytes(2000), 2)[:6]
        )
        for _ in range(20):  # a second in all, each piece earning one
            time.sleep(0.05)
            peer.send(bytes(100))
        assert peer.status() == 0


def test_an_idle_association_is_aborted(listen, recorder, wait_until):
    with RawPeer.associated(listen(idle=0.2).port) as peer:
        assert peer.receive()[0] == 7
    wait_until(lambda: recorder.endings == ["timeout"])


def test_a_peer_that_never_reads_responses_costs_one_association(
    listen, recorder, impatient, wait_until
):
    acceptor = listen(pace=impatient)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", acceptor.port))
        peer = RawPeer(connection)
        peer.send(associate_request())
        assert peer.receive()[0] == 2
        connection.settimeout(0.5)
        try:
            for _ in range(3000):
                peer.send(ECHO * 100)
        except OSError:
            pass
        wait_until(lambda: recorder.endings == ["timeout"])


def test_an_abort_within_a_data_set_abandons_it(listen, recorder, wait_until):
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(b"data", 0)) + ABORT)
        assert peer.receive() == (0, b"")
    wait_until(lambda: recorder.endings == ["aborted"])
    assert recorder.stores[0].endings == ["abandoned"]


def test_a_release_within_a_data_set_abandons_it(listen, recorder, wait_until):
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(b"data", 0)) + RELEASE_REQUEST)
        assert peer.receive()[0] == 6
    wait_until(lambda: len(recorder.endings) == 1)
    assert recorder.stores[0].endings == ["abandoned"]


def recording() -> bytes:
    """All a small requestor says."""
    said = associate_request() + ECHO + store_message(b"0123456789")
    return said + pdu(4, pdv(store_command(2), 3) + pdv(b"x", 0) + pdv(b"y", 2)) + RELEASE_REQUEST


def test_a_peer_may_vanish_after_any_byte(listen, recorder, wait_until):
    acceptor = listen()
    said = recording()
    for count in range(len(said)):
        with RawPeer.to(acceptor.port) as peer:
            peer.send(said[:count])
            peer.socket.shutdown(socket.SHUT_WR)
            while peer.receive()[0]:
                continue
    wait_until(lambda: acceptor.associations == 0)
    assert len(recorder.requests) == len(recorder.endings) == len(said) - len(associate_request())
    assert all(len(kept.endings) == 1 for kept in recorder.stores)
    whole = [bytes(kept.data) for kept in recorder.stores if kept.endings == ["finished"]]
    assert set(whole) == {b"0123456789", b"xy"}
    with RawPeer.associated(acceptor.port, contexts=[(CT, [IMPLICIT])]) as peer:
        peer.send(store_message(b"still here"))
        assert peer.status() == 0


def test_a_message_may_arrive_byte_by_byte_and_pdvs_may_share_a_pdu(listen, recorder):
    with RawPeer.to(listen().port) as peer:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in recording():
            peer.send(bytes([byte]))
        assert [peer.receive()[0] for _ in range(5)] == [2, 4, 4, 4, 6]
    assert [bytes(kept.data) for kept in recorder.stores] == [b"0123456789", b"xy"]


def test_one_message_may_begin_in_the_pdu_that_ends_another(listen, recorder):
    message = pdv(store_command(), 3) + pdv(b"data", 2)
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, message * 3))
        assert [peer.status() for _ in range(3)] == [0, 0, 0]
    assert [bytes(kept.data) for kept in recorder.stores] == [b"data"] * 3
