"""Several C-STOREs outstanding on one association, where that was negotiated."""

import struct

import pytest

from router.wire import Peer as Asked
from router.wire import PeerTimeout, Response, Timeouts, WireError, command, connect
from tests.wire.peers import ABORT, CT, FIND, IMPLICIT, VERIFICATION, RawPeer, item, pdu, pdv

WINDOW = struct.pack(">HH", 8, 1)


def accept(window: bytes | None, transfer_syntax: str = IMPLICIT) -> bytes:
    """An A-ASSOCIATE-AC of the first context, with this Asynchronous Operations Window."""
    body = struct.pack(">Hxx", 1) + b"ROUTER".ljust(16) + b"TEST".ljust(16) + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    body += item(0x21, struct.pack(">BxBx", 1, 0) + item(0x40, transfer_syntax.encode()))
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4")
    return pdu(2, body + item(0x50, user + (item(0x53, window) if window else b"")))


def request_of(peer: RawPeer) -> command.CommandSet | None:
    """The next request, its data set read; None at the end of the association."""
    kind, body = peer.receive()
    if kind != 4:
        return None
    request = command.decode(body[6:])
    while request.has_data_set and not peer.receive()[1][5] & 2:
        pass
    return request


def taken(peer: RawPeer) -> int:
    request = request_of(peer)
    return request.message_id if request else 0


def respond(peer: RawPeer, *message_ids: int, status: int = 0) -> None:
    for message_id in message_ids:
        request = command.decode(command.encode_store_request(message_id, CT, "1.2.3", 0, None))
        peer.send(pdu(4, pdv(command.encode_response(request, Response(status)), 3)))


@pytest.fixture
def ahead(scripted):
    """`ahead(script)`: an association that proposes a window of 16 to a scripted peer."""
    opened = []

    def open_(script, window: bytes | None = WINDOW, **timeouts: float):
        def play(peer: RawPeer) -> None:
            peer.receive()
            peer.send(accept(window))
            script(peer)

        asked = Asked("127.0.0.1", scripted(play), "ROUTER", "TEST")
        contexts = [(CT, [IMPLICIT])]
        association = connect(asked, contexts, timeouts=Timeouts(**timeouts), window=16)
        opened.append(association)
        return association

    yield open_
    for association in opened:
        association.abort()


def send(association, size: int = 10) -> int:
    return association.store_ahead(1, CT, "1.2.3", [bytes(size)])


@pytest.mark.parametrize(
    ("answered", "window"),
    [(None, 1), ((1, 1), 1), ((8, 1), 8), ((0, 0), 16), ((500, 1), 16)],
)
def test_a_window_is_what_the_peer_grants_of_what_was_proposed(ahead, answered, window):
    encoded = struct.pack(">HH", *answered) if answered else None
    assert ahead(lambda peer: peer.receive(), encoded).window == window


@pytest.mark.parametrize(("contexts", "window"), [([CT, VERIFICATION], 16), ([CT, FIND], 1)])
def test_who_only_stores_is_granted_a_window(listen, recorder, contexts, window):
    peer = Asked("127.0.0.1", listen().port, "ROUTER", "TEST")
    association = connect(peer, [(each, [IMPLICIT]) for each in contexts], window=500)
    assert association.window == window
    sent = [send(association) for _ in range(window)]
    answers: dict[int, Response] = {}
    while len(answers) < len(sent):
        answers |= association.responses(wait=True)
    assert list(answers) == sent
    assert len(recorder.stores) == window
    association.release()


def test_responses_may_come_in_any_order(ahead):
    def script(peer: RawPeer) -> None:
        first, second, third = taken(peer), taken(peer), taken(peer)
        respond(peer, third, status=0xB000)
        respond(peer, first, second)
        peer.receive()

    association = ahead(script)
    sent = [send(association) for _ in range(3)]
    answers: dict[int, Response] = {}
    while len(answers) < 3:
        answers |= association.responses(wait=True)
    assert [answers[each].status for each in sent] == [0, 0, 0xB000]


def test_responses_to_nothing_that_was_asked_are_no_answers(ahead):
    def script(peer: RawPeer) -> None:
        first = taken(peer)
        respond(peer, 4711, first, first, 0)
        second = taken(peer)
        respond(peer, first, second)
        peer.receive()

    association = ahead(script)
    first = send(association)
    assert list(association.responses(wait=True)) == [first]
    second = send(association)
    assert list(association.responses(wait=True)) == [second]


def test_what_was_answered_before_an_abort_is_known(ahead):
    def script(peer: RawPeer) -> None:
        first, _, _ = taken(peer), taken(peer), taken(peer)
        respond(peer, first)
        peer.send(ABORT)

    association = ahead(script)
    first, _, _ = (send(association) for _ in range(3))
    assert list(association.responses(wait=True)) == [first]
    with pytest.raises(WireError, match="aborted"):
        association.responses(wait=True)
    assert not association.is_open


def test_a_response_that_stays_out_ends_the_association_though_others_come(ahead):
    def script(peer: RawPeer) -> None:
        taken(peer)
        while message_id := taken(peer):
            respond(peer, message_id)

    association = ahead(script, response=0.5)
    send(association)
    with pytest.raises(PeerTimeout, match="no response"):
        while True:
            send(association)
            association.responses(wait=True)


def test_a_peer_that_answers_before_it_reads_on_is_heard(ahead):
    def script(peer: RawPeer) -> None:
        respond(peer, *range(1000, 1400))
        respond(peer, taken(peer))
        peer.receive()

    association = ahead(script)
    first = send(association, 8 * 1024 * 1024)
    assert list(association.responses(wait=True)) == [first]
