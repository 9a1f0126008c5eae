"""Associations we open: every way they can go, against peers that play a script."""

import os
import socket
import struct
import threading

import pytest

from router.dataset import FileRange
from router.wire import (
    AssociationAborted,
    AssociationRejected,
    ConnectFailed,
    ConnectionLost,
    NoAcceptedContext,
    Peer,
    PeerTimeout,
    ProtocolViolation,
    Response,
    SourceUnreadable,
    Timeouts,
    command,
    connect,
)
from tests.wire.peers import (
    ABORT,
    CT,
    ECHO,
    EXPLICIT,
    IMPLICIT,
    RELEASE_REQUEST,
    RELEASE_RESPONSE,
    VERIFICATION,
    RawPeer,
    item,
    pdu,
    pdv,
)

ACCEPTED = 2


def accept(peer: RawPeer, results: dict[int, tuple[int, str]] | None = None) -> bytes:
    """Answer the request that arrives, accepting contexts 1 and 3 in Implicit VR; its body."""
    kind, body = peer.receive()
    assert kind == 1
    answer = body[:68] + item(0x10, b"1.2.840.10008.3.1.1.1")
    for context_id, (result, syntax) in (results or {1: (0, IMPLICIT), 3: (0, IMPLICIT)}).items():
        content = struct.pack(">BxBx", context_id, result) + item(0x40, syntax.encode())
        answer += item(0x21, content)
    answer += item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4"))
    peer.send(pdu(ACCEPTED, answer))
    return body


def message(peer: RawPeer) -> tuple[command.CommandSet, bytes]:
    """The next whole message: its command and data sets."""
    parts = {1: bytearray(), 0: bytearray()}
    for kind_wanted in (1, 0):
        last = False
        while not last:
            kind, body = peer.receive()
            assert kind == 4
            assert body[5] & 1 == kind_wanted
            parts[kind_wanted] += body[6:]
            last = bool(body[5] & 2)
        if not command.decode(parts[1]).has_data_set:
            break
    return command.decode(parts[1]), bytes(parts[0])


def answer(request: command.CommandSet, response: Response) -> bytes:
    return pdu(4, pdv(command.encode_response(request, response), 3))


def test_nobody_listening_is_connect_failed(ask, free_port):
    with pytest.raises(ConnectFailed, match="refused"):
        ask(free_port())


def test_an_unknown_host_is_connect_failed():
    with pytest.raises(ConnectFailed):
        connect(Peer("no-such-host.invalid", 104, "A", "B"), [(CT, [IMPLICIT])])


@pytest.mark.parametrize("host", ["pacs..example", "x" * 64 + ".example"])
def test_what_can_be_no_host_name_is_connect_failed(host):
    with pytest.raises(ConnectFailed, match="it is no host name"):
        connect(Peer(host, 104, "A", "B"), [(CT, [IMPLICIT])])


def test_a_name_server_that_never_answers_is_waited_for_as_long_as_connecting_may_take(
    monkeypatch,
):
    answer = threading.Event()

    def never(*_, **__):
        answer.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    with pytest.raises(ConnectFailed, match="pacs.example port 104: no name server answered"):
        connect(Peer("pacs.example", 104, "A", "B"), [(CT, [IMPLICIT])], timeouts=Timeouts(0.1))
    answer.set()


def test_a_host_is_tried_at_each_of_its_addresses(ask, listen, monkeypatch, free_port):
    listening = listen()
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("127.1.2.3", "127.0.0.1")
    ]
    real = socket.getaddrinfo

    def two(host, *arguments, **more):
        return found if host == "pacs.example" else real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    peer = Peer("pacs.example", listening.port, "ROUTER", "CT1")
    connect(peer, [(CT, [IMPLICIT])]).release()


@pytest.mark.parametrize("count", [0, 129])
def test_one_to_128_contexts_fit_an_association(ask, count):
    with pytest.raises(ValueError, match="1 to 128"):
        connect(Peer("127.0.0.1", 1, "A", "B"), [(CT, [IMPLICIT])] * count)


def test_128_contexts_can_be_proposed(ask, listen):
    contexts = [(f"1.2.3.{n}", [EXPLICIT, IMPLICIT]) for n in range(128)]
    association = ask(listen().port, contexts)
    assert association.accepted[("1.2.3.127", EXPLICIT)] == 255
    association.release()


def test_a_rejection_carries_its_codes(ask, scripted):
    def reject(peer):
        peer.receive()
        peer.send(pdu(3, bytes([0, 2, 3, 2])))

    with pytest.raises(AssociationRejected, match="local limit exceeded") as caught:
        ask(scripted(reject))
    assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 2)
    assert caught.value.transient


def test_a_permanent_rejection_is_not_transient(ask, scripted):
    def reject(peer):
        peer.receive()
        peer.send(pdu(3, bytes([0, 1, 1, 7])))

    with pytest.raises(AssociationRejected, match="called AE title not recognized") as caught:
        ask(scripted(reject))
    assert not caught.value.transient


def test_an_abort_instead_of_an_answer_is_told(ask, scripted):
    def abort(peer):
        peer.receive()
        peer.send(pdu(7, bytes([0, 0, 2, 1])))

    with pytest.raises(AssociationAborted) as caught:
        ask(scripted(abort))
    assert (caught.value.source, caught.value.reason) == (2, 1)


def test_a_close_instead_of_an_answer_is_connection_lost(ask, scripted):
    with pytest.raises(ConnectionLost):
        ask(scripted(lambda peer: peer.receive()))


def test_no_answer_is_a_timeout(ask, scripted):
    def stare(peer):
        peer.receive()
        assert peer.receive()[0] == 7

    with pytest.raises(PeerTimeout):
        ask(scripted(stare), association=0.2)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP"),
        pytest.param(struct.pack(">BxL", 2, 0xFFFFFFF0), id="4 GiB answer"),
        pytest.param(pdu(2, bytes(70) + b"\xff\xff\xff\xff"), id="undecodable answer"),
        pytest.param(pdu(4, pdv(b"abcd", 3)), id="P-DATA"),
        pytest.param(pdu(6, bytes(4)), id="release response"),
    ],
)
def test_rubbish_instead_of_an_answer_is_aborted(ask, scripted, said):
    def babble(peer):
        peer.receive()
        peer.send(said)
        assert peer.receive()[0] == 7

    with pytest.raises(AssociationAborted):
        ask(scripted(babble))


def test_no_accepted_context_is_told_and_aborted(ask, scripted):
    def refuse(peer):
        accept(peer, {1: (3, IMPLICIT), 3: (4, IMPLICIT)})
        assert peer.receive()[0] == 7

    with pytest.raises(NoAcceptedContext):
        ask(scripted(refuse))


def test_only_what_was_proposed_counts_as_accepted(ask, scripted):
    def odd(peer):
        accept(peer, {1: (0, EXPLICIT), 3: (0, IMPLICIT), 9: (0, IMPLICIT)})
        peer.receive()

    association = ask(scripted(odd))
    assert association.accepted == {(VERIFICATION, IMPLICIT): 3}
    assert association.context_for(CT, IMPLICIT) is None


def test_ae_titles_go_out_padded_and_as_given(scripted, wait_until):
    bodies = []

    def note(peer):
        bodies.append(accept(peer))
        peer.receive()

    port = scripted(note)
    association = connect(
        Peer("127.0.0.1", port, "SIXTEEN_LETTERS_TOO_MANY", "R\u00f6ntgen"), [(CT, [IMPLICIT])]
    )
    association.abort()
    wait_until(lambda: bodies)
    assert bodies[0][4:36] == b"SIXTEEN_LETTERS_" + b"R\xf6ntgen".ljust(16)


def test_a_store_sends_the_bytes_and_returns_the_response(ask, scripted, tmp_path):
    file = tmp_path / "instance"
    file.write_bytes(bytes(range(256)) * 100)
    seen = []

    def serve(peer):
        accept(peer)
        seen.append(message(peer))
        peer.send(answer(seen[0][0], Response(0xB007, "close enough")))
        peer.receive()
        peer.send(RELEASE_RESPONSE)

    association = ask(scripted(serve))
    segments = [b"head", FileRange(str(file), 3, 20_000), b"", b"tail", FileRange(str(file), 0, 1)]
    response = association.store(
        association.context_for(CT, IMPLICIT),
        CT,
        "1.2.3",
        segments,
        priority=2,
        move_originator=("MOVER", 9),
    )
    association.release()
    request, data = seen[0]
    assert response == Response(0xB007, "close enough")
    assert data == b"head" + (bytes(range(256)) * 100)[3:20_003] + b"tail\0"
    assert (request.sop_class_uid, request.sop_instance_uid) == (CT, "1.2.3")
    assert request.number(0x0700) == 2
    assert (request.text(0x1030), request.number(0x1031)) == ("MOVER", 9)
    assert not association.is_open


def test_message_ids_wrap_after_65535(ask, listen):
    association = ask(listen().port)
    association._message_id = 65534
    ids = []
    for _ in range(3):
        association.echo()
        ids.append(association._message_id)
    assert ids == [65535, 1, 2]


def test_echo_without_a_verification_context_says_so(ask, listen):
    association = ask(listen().port, [(CT, [IMPLICIT])])
    with pytest.raises(ValueError, match="Verification"):
        association.echo()


def test_no_response_is_a_timeout_and_an_abort(ask, scripted):
    def stare(peer):
        accept(peer)
        message(peer)
        assert peer.receive()[0] == 7

    association = ask(scripted(stare), response=0.2)
    with pytest.raises(PeerTimeout, match="no response"):
        association.store(1, CT, "1.2.3", [b"data"])
    assert not association.is_open
    with pytest.raises(PeerTimeout):
        association.store(1, CT, "1.2.3", [b"data"])


def test_a_peer_that_stops_reading_is_a_timeout(ask, scripted, impatient):
    over = threading.Event()

    def stop(peer):
        accept(peer)
        over.wait(20)

    association = ask(scripted(stop), pace=impatient)
    with pytest.raises(PeerTimeout, match="stopped reading"):
        association.store(1, CT, "1.2.3", [bytes(64 << 20)])
    over.set()


@pytest.mark.parametrize("sent_before", [0, 1000])
def test_an_abort_while_we_send_surfaces_as_such(ask, scripted, sent_before):
    def abort(peer):
        accept(peer)
        peer.exactly(sent_before)
        peer.send(pdu(7, bytes([0, 0, 0, 0])))
        peer.socket.shutdown(socket.SHUT_WR)
        while peer.exactly(1 << 16):
            continue

    association = ask(scripted(abort))
    with pytest.raises(AssociationAborted, match="the peer aborted"):
        for _ in range(200):
            association.store(1, CT, "1.2.3", [bytes(11 << 20)])
    assert not association.is_open


def test_a_close_while_we_send_is_connection_lost(ask, scripted):
    def leave(peer):
        accept(peer)
        peer.exactly(1000)

    association = ask(scripted(leave))
    with pytest.raises(ConnectionLost):
        association.store(1, CT, "1.2.3", [bytes(64 << 20)])


@pytest.mark.parametrize("said", [b"", ABORT, RELEASE_REQUEST, ECHO[:7]])
def test_an_idle_association_that_the_peer_ended_is_not_open(ask, scripted, wait_until, said):
    def end(peer):
        accept(peer)
        peer.send(said)
        peer.socket.shutdown(socket.SHUT_WR)
        peer.receive()

    association = ask(scripted(end))
    wait_until(lambda: not association.is_open)
    with pytest.raises((AssociationAborted, ConnectionLost)):
        association.store(1, CT, "1.2.3", [b"data"])


def test_an_open_association_stays_open_and_answers_an_echo_of_the_peer(ask, scripted, wait_until):
    statuses = []

    def echo(peer):
        accept(peer)
        peer.send(ECHO)
        statuses.append(peer.status())
        request, _ = message(peer)
        peer.send(ECHO + answer(request, Response(0)))
        statuses.append(peer.status())
        peer.receive()
        peer.send(RELEASE_RESPONSE)

    association = ask(scripted(echo))
    wait_until(lambda: association.is_open and statuses)
    assert association.store(1, CT, "1.2.3", [b"data"]) == Response(0)
    association.release()
    assert statuses == [0, 0]


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda request: b"\x09\0\0\0\0\4abcd", id="unknown PDU"),
        pytest.param(lambda request: pdu(4, pdv(b"rubbish!", 3)), id="rubbish"),
        pytest.param(
            lambda request: pdu(4, pdv(command.encode_response(request, Response(0)), 3, 99)),
            id="unknown context",
        ),
    ],
)
def test_a_broken_response_is_a_violation(ask, scripted, respond):
    def break_it(peer):
        accept(peer)
        request, _ = message(peer)
        peer.send(respond(request))
        assert peer.receive()[0] == 7

    association = ask(scripted(break_it))
    with pytest.raises(ProtocolViolation):
        association.store(1, CT, "1.2.3", [b"data"])
    assert not association.is_open


def test_a_response_to_another_message_is_no_response(ask, scripted):
    def confuse(peer):
        accept(peer)
        request, _ = message(peer)
        request.elements[0x0110] = b"\x39\x30"
        peer.send(answer(request, Response(0)))
        assert peer.receive()[0] == 7

    association = ask(scripted(confuse), response=0.3)
    with pytest.raises(PeerTimeout):
        association.store(1, CT, "1.2.3", [b"data"])


def test_a_file_that_is_too_short_is_found_before_anything_is_sent(ask, listen, tmp_path):
    file = tmp_path / "instance"
    file.write_bytes(b"12345678")
    association = ask(listen().port)
    for segment in (FileRange(str(file), 4, 5), FileRange(str(tmp_path / "none"), 0, 1)):
        with pytest.raises(SourceUnreadable) as caught:
            association.store(1, CT, "1.2.3", [b"head", segment])
        assert not caught.value.begun
    assert association.store(1, CT, "1.2.3", [FileRange(str(file), 4, 4)]) == Response(0)


def test_a_file_that_shrinks_while_it_is_sent_ends_the_association(
    ask, listen, recorder, tmp_path, wait_until
):
    file = tmp_path / "instance"
    file.write_bytes(bytes(40 << 20))
    association = ask(listen().port)

    class Shrinking(list):
        """Segments whose file is cut once it was checked."""

        def __iter__(self):
            self.times = getattr(self, "times", 0) + 1
            if self.times == 3:  # after the opening and the sum of the lengths
                os.truncate(file, 4 << 20)
            return super().__iter__()

    with pytest.raises(SourceUnreadable) as caught:
        association.store(1, CT, "1.2.3", Shrinking([FileRange(str(file), 0, 40 << 20)]))
    assert caught.value.begun
    assert not association.is_open
    wait_until(lambda: [kept.endings for kept in recorder.stores] == [["abandoned"]])


def unasked(data: bytes) -> bytes:
    """A C-STORE-RQ for us, who serve nothing on an association that we opened."""
    size = 16000
    fragments = [data[at : at + size] for at in range(0, len(data), size)]
    said = pdu(4, pdv(command.encode_store_request(9, CT, "1.2.3", 0, None), 3))
    for fragment in fragments[:-1]:
        said += pdu(4, pdv(fragment, 0))
    return said + pdu(4, pdv(fragments[-1], 2))


def test_what_nobody_asked_for_is_thrown_away(ask, scripted):
    def chatter(peer):
        accept(peer)
        request, _ = message(peer)
        peer.send(unasked(bytes(2 << 20)) * 3 + answer(request, Response(0)))
        peer.receive()
        peer.send(RELEASE_RESPONSE)

    association = ask(scripted(chatter))
    assert association.store(1, CT, "1.2.3", [b"data"]) == Response(0)
    association.release()


def test_a_peer_that_never_stops_talking_keeps_nobody_from_working(ask, scripted):
    def chatter(peer):
        accept(peer)
        try:
            while True:
                peer.send(unasked(b"data") * 100)
        except OSError:
            return

    association = ask(scripted(chatter), response=0.3)
    assert association.is_open
    with pytest.raises(PeerTimeout):
        association.store(1, CT, "1.2.3", [b"data"])


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x09\0\0\0\0\4abcd", id="unknown PDU"),
        pytest.param(pdu(ACCEPTED, b""), id="undecodable PDU"),
        pytest.param(pdu(3, b"\0\1\1\1"), id="PDU out of place"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_release_answered_with_rubbish_ends_all_the_same(ask, scripted, said):
    def break_it(peer):
        accept(peer)
        assert peer.receive()[0] == 5
        peer.send(said)
        peer.socket.shutdown(socket.SHUT_WR)

    association = ask(scripted(break_it))
    association.release()
    assert not association.is_open


def test_a_release_collision_ends_well(ask, scripted):
    seen = []

    def collide(peer):
        accept(peer)
        seen.append(peer.receive()[0])
        peer.send(RELEASE_REQUEST)
        seen.append(peer.receive()[0])
        peer.send(RELEASE_RESPONSE)
        seen.append(peer.receive()[0])

    association = ask(scripted(collide))
    association.release()
    assert not association.is_open
    scripted_order = [5, 6, 0]
    assert seen == scripted_order or seen == scripted_order[: len(seen)]


def test_a_release_without_answer_is_aborted(ask, scripted):
    seen = []

    def ignore(peer):
        accept(peer)
        seen.extend([peer.receive()[0], peer.receive()[0]])

    association = ask(scripted(ignore), association=0.2)
    association.release()
    assert not association.is_open


def test_another_thread_can_interrupt_a_store(ask, scripted):
    asked = threading.Event()

    def stare(peer):
        accept(peer)
        message(peer)
        asked.set()
        assert peer.receive()[0] == 7

    association = ask(scripted(stare))
    interrupter = threading.Thread(target=lambda: (asked.wait(20), association.interrupt()))
    interrupter.start()
    with pytest.raises(AssociationAborted):
        association.store(1, CT, "1.2.3", [b"data"])
    interrupter.join()
