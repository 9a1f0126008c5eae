"""What a listener's service decides, and what the peer is told of it."""

import struct
import subprocess
import sys

import pytest

from router.dataset.part10 import IMPLEMENTATION_CLASS_UID
from router.wire import Peer, Rejection, Response, command, connect
from tests.conftest import REPOSITORY
from tests.wire.peers import (
    CT,
    ECHO,
    EXPLICIT,
    FIND,
    IMPLICIT,
    RELEASE_REQUEST,
    VERIFICATION,
    RawPeer,
    associate_request,
    item,
    pdu,
    pdv,
    store_command,
    store_message,
)


def contexts_of(accepted: bytes) -> dict[int, tuple[int, str]]:
    """Context ID → (result, transfer syntax) of an A-ASSOCIATE-AC's body."""
    found, at = {}, 68
    while at < len(accepted):
        kind, length = struct.unpack_from(">BxH", accepted, at)
        content = accepted[at + 4 : at + 4 + length]
        if kind == 0x21:
            found[content[0]] = (content[2], content[8:].decode())
        at += 4 + length
    return found


def user_items_of(accepted: bytes) -> set[int]:
    at = accepted.index(item(0x51, struct.pack(">L", 128 * 1024)))
    kinds = set()
    while at < len(accepted):
        kind, length = struct.unpack_from(">BxH", accepted, at)
        kinds.add(kind)
        at += 4 + length
    return kinds


def test_every_context_is_answered_by_itself(listen, recorder):
    recorder.answers = {1: EXPLICIT, 3: IMPLICIT, 5: 1, 7: 3, 9: 4}
    proposed = [(CT, [IMPLICIT, EXPLICIT]), (CT, [IMPLICIT]), *[("1.2.3.4", [EXPLICIT])] * 3]
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request(proposed))
        kind, body = peer.receive()
    assert kind == 2
    answers = contexts_of(body)
    assert answers[1] == (0, EXPLICIT)
    assert answers[3] == (0, IMPLICIT)
    assert [answers[i][0] for i in (5, 7, 9)] == [1, 3, 4]
    assert recorder.offers[0].transfer_syntaxes == (IMPLICIT, EXPLICIT)


def test_a_transfer_syntax_that_was_not_offered_rejects_the_association(
    listen, recorder, wait_until
):
    recorder.answers = {1: "1.2.3"}
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request())
        assert peer.receive() == (3, bytes([0, 2, 1, 1]))
    wait_until(lambda: recorder.endings == ["aborted"])


def test_a_rejection_is_sent_as_it_is(listen, recorder):
    recorder.rejection = Rejection(1, 1, 7, "unknown called AE title")
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request())
        assert peer.receive() == (3, bytes([0, 1, 1, 7]))
    assert recorder.endings == []


def test_a_service_that_fails_rejects_for_now(listen, recorder):
    recorder.open_fails = True
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request())
        assert peer.receive() == (3, bytes([0, 2, 1, 1]))


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"CT1".ljust(16), "CT1"),
        (b"CT1".ljust(16, b"\0"), "CT1"),
        (b"  CT 1\\".ljust(16), "CT 1\\"),
        (bytes(16), ""),
        (b" " * 16, ""),
        (b"R\xf6ntgen\n".ljust(16), "R\u00f6ntgen\n"),
        (b"SIXTEEN_LETTERS_", "SIXTEEN_LETTERS_"),
    ],
)
def test_ae_titles_are_told_as_sent_and_echoed_as_sent(listen, recorder, sent, told):
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request(calling=sent, called=sent))
        kind, body = peer.receive()
    assert kind == 2
    assert body[4:36] == sent + sent
    request = recorder.requests[0]
    assert (request.calling_ae_title, request.called_ae_title) == (told, told)


def test_a_request_tells_who_asks(listen, recorder):
    with RawPeer.associated(listen().port, maximum_pdu=0) as peer:
        port = peer.socket.getsockname()[1]
    request = recorder.requests[0]
    assert (request.address, request.port, request.maximum_pdu) == ("127.0.0.1", port, 0)
    assert request.implementation_class_uid == "1.2.3.4"
    assert [context.abstract_syntax for context in request.contexts] == [CT, VERIFICATION]


def test_who_asks_and_who_answers_is_one_implementation(listen, recorder):
    acceptor = listen()
    with RawPeer.to(acceptor.port) as peer:
        peer.send(associate_request())
        _, answer = peer.receive()
    assert item(0x52, IMPLEMENTATION_CLASS_UID.encode()) in answer
    peer = Peer("127.0.0.1", acceptor.port, "ROUTER", "CT1")
    connect(peer, [(VERIFICATION, [IMPLICIT])]).release()
    assert recorder.requests[1].implementation_class_uid == IMPLEMENTATION_CLASS_UID


def test_of_extended_negotiation_only_the_window_is_answered(listen):
    roles = item(0x54, struct.pack(">H", len(CT)) + CT.encode() + b"\1\1")
    window = item(0x53, struct.pack(">HH", 5, 5))
    extended = item(0x56, struct.pack(">H", len(CT)) + CT.encode() + b"\1\0")
    identity = item(0x58, b"\1\1" + struct.pack(">H", 4) + b"user" + struct.pack(">H", 0))
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request(extra=roles + window + extended + identity))
        kind, body = peer.receive()
        assert kind == 2
        assert user_items_of(body) == {0x51, 0x52, 0x53, 0x55}
        peer.send(store_message(b"data"))
        assert peer.status() == 0


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        pytest.param(item(0x77, b"private"), "", id="unknown item"),
        pytest.param(item(0x55, b""), "", id="empty version name"),
        pytest.param(item(0x55, b"VERSION\0"), "VERSION", id="NUL"),
        pytest.param(item(0x55, b"R\xf6n\n\\1"), "R n  1", id="odd characters"),
        pytest.param(item(0x55, b"A" * 30), "A" * 16, id="long version name"),
    ],
)
def test_odd_user_information_does_not_matter(listen, recorder, extra, told):
    RawPeer.associated(listen().port, extra=extra).close()
    assert recorder.requests[0].implementation_version_name == told


def test_a_context_without_transfer_syntax_is_refused_without_asking(listen, recorder):
    with RawPeer.to(listen().port) as peer:
        peer.send(associate_request([(CT, []), (CT, [IMPLICIT])]))
        kind, body = peer.receive()
    assert kind == 2
    assert {i: result for i, (result, _) in contexts_of(body).items()} == {1: 3, 3: 0}
    assert len(recorder.offers) == 1


@pytest.mark.parametrize("maximum", [None, 0, 1, 6, 7, 8, 13, 128, 4096, 0xFFFFFFFF])
def test_responses_fit_the_requestors_maximum(listen, maximum):
    with RawPeer.associated(listen().port, maximum_pdu=maximum) as peer:
        peer.send(ECHO)
        encoded, last = b"", False
        while not last:
            kind, body = peer.receive()
            assert kind == 4
            assert len(body) <= max(maximum or 16384, 8)
            encoded += body[6:]
            last = bool(body[5] & 2)
        assert command.decode(encoded).number(0x0900) == 0


def test_a_store_is_told_and_answered(listen, recorder):
    recorder.response = Response(0xB000, "coerced\\\n" + "x" * 100)
    request = command.encode_store_request(65535, CT, "1.2.34", 1, ("MOVER", 77))
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(request, 3)) + pdu(4, pdv(b"abc", 0)) + pdu(4, pdv(b"def", 2)))
        response = peer.response()
    kept = recorder.stores[0]
    assert bytes(kept.data) == b"abcdef"
    assert kept.endings == ["finished"]
    assert kept.request.message_id == 65535
    assert kept.request.transfer_syntax == IMPLICIT
    assert kept.request.move_originator == ("MOVER", 77)
    assert kept.request.priority == 1
    assert response.field == 0x8001
    assert response.responded_message_id == 65535
    assert response.number(0x0900) == 0xB000
    assert (response.sop_class_uid, response.sop_instance_uid) == (CT, "1.2.34")
    assert response.text(0x0902) == ("coerced??" + "x" * 100)[:64]
    assert not response.has_data_set


def test_fragments_come_in_batches_not_one_by_one(listen, recorder):
    data = bytes(range(256)) * 4096
    fragments = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    message = pdu(4, pdv(store_command(), 3))
    message += b"".join(pdu(4, pdv(fragment, 0)) for fragment in fragments)
    with RawPeer.associated(listen().port) as peer:
        peer.send(message + pdu(4, pdv(b"", 2)))
        assert peer.status() == 0
    assert bytes(recorder.stores[0].data) == data
    assert recorder.stores[0].calls < 50


def test_a_refused_data_set_is_read_and_thrown_away(listen, recorder):
    recorder.refusal = Response(0xA700, "disk full")
    with RawPeer.associated(listen().port) as peer:
        peer.send(store_message(bytes(100_000)))
        assert peer.status() == 0xA700
        recorder.refusal = None
        peer.send(store_message(b"next", 2))
        assert peer.status() == 0
    assert bytes(recorder.stores[0].data) == b"next"


def test_a_sink_that_fails_to_write_is_abandoned_and_the_association_goes_on(
    listen, recorder, caplog
):
    recorder.write_fails = True
    with RawPeer.associated(listen().port) as peer:
        peer.send(store_message(bytes(100_000)))
        assert peer.status() == 0x0110
        recorder.write_fails = False
        peer.send(store_message(b"next", 2))
        assert peer.status() == 0
    assert [kept.endings for kept in recorder.stores] == [["abandoned"], ["finished"]]
    assert "RuntimeError at " in caplog.text
    assert "fire" not in caplog.text


def test_a_sink_that_fails_to_finish_is_answered_processing_failure(listen, recorder):
    recorder.finish_fails = True
    with RawPeer.associated(listen().port) as peer:
        peer.send(store_message(b"data"))
        assert peer.status() == 0x0110
    assert recorder.stores[0].endings == ["finished"]


@pytest.mark.parametrize("missing", [0x0002, 0x1000])
def test_a_store_without_its_uids_is_answered_a_failure(listen, recorder, missing):
    elements = command.decode(store_command()).elements
    del elements[missing]
    encoded = b"".join(struct.pack("<HHL", 0, e, len(v)) + v for e, v in elements.items())
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(encoded, 3)) + pdu(4, pdv(b"data", 2)))
        assert peer.status() == 0x0110
        peer.send(store_message(b"data", 2))
        assert peer.status() == 0


def test_a_store_without_a_data_set_is_answered_a_failure(listen, recorder):
    encoded = store_command().replace(
        struct.pack("<HHLH", 0, 0x0800, 2, 1), struct.pack("<HHLH", 0, 0x0800, 2, 0x0101)
    )
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(encoded, 3)))
        assert peer.status() == 0x0110


def test_another_service_is_answered_unrecognized_operation(listen, recorder):
    encoded = store_command().replace(
        struct.pack("<HHLH", 0, 0x0100, 2, 1), struct.pack("<HHLH", 0, 0x0100, 2, 0x0020)
    )
    with RawPeer.associated(listen().port, contexts=[(FIND, [IMPLICIT])]) as peer:
        peer.send(pdu(4, pdv(encoded, 3)) + pdu(4, pdv(b"\x08\0\x52\0\0\0\0\0", 2)))
        response = peer.response()
        assert response.field == 0x8020
        assert response.number(0x0900) == 0x0211
        peer.send(store_message(b"goes on", 2))
        assert peer.status() == 0


@pytest.mark.parametrize("maximum_pdu", [0, 1, 7, 8, 0xFFFFFFFF])
def test_a_refused_service_is_answered_however_little_the_peer_takes(listen, maximum_pdu):
    encoded = store_command().replace(
        struct.pack("<HHLH", 0, 0x0100, 2, 1), struct.pack("<HHLH", 0, 0x0100, 2, 0x0020)
    )
    with RawPeer.associated(listen().port, maximum_pdu=maximum_pdu) as peer:
        peer.send(pdu(4, pdv(encoded, 3)) + pdu(4, pdv(b"", 2)))
        response = b""
        last = False
        while not last:
            kind, body = peer.receive()
            assert kind == 4
            response += body[6:]
            last = bool(body[5] & 2)
    assert command.decode(response).number(0x0900) == 0x0211


def test_a_huge_identifier_is_aborted(listen):
    encoded = store_command().replace(
        struct.pack("<HHLH", 0, 0x0100, 2, 1), struct.pack("<HHLH", 0, 0x0100, 2, 0x0020)
    )
    with RawPeer.associated(listen().port) as peer:
        peer.send(pdu(4, pdv(encoded, 3)) + pdu(4, pdv(bytes(100_000), 0)) * 20)
        assert peer.receive()[0] == 7


def test_pipelined_requests_are_answered_in_order(listen, recorder):
    with RawPeer.associated(listen().port) as peer:
        peer.send(b"".join(store_message(bytes([n]), n) for n in range(1, 200)))
        answered = [peer.response().responded_message_id for _ in range(1, 200)]
    assert answered == list(range(1, 200))


def test_a_release_is_confirmed_and_told(listen, recorder, wait_until):
    with RawPeer.associated(listen().port) as peer:
        peer.send(RELEASE_REQUEST)
        assert peer.receive() == (6, bytes(4))
    wait_until(lambda: recorder.endings == ["released"])


def test_a_connection_that_ends_is_told_as_lost(listen, recorder, wait_until):
    RawPeer.associated(listen().port).close()
    wait_until(lambda: recorder.endings == ["lost"])


def test_odd_values_of_peers_are_not_remembered():
    odd = "from pydicom.uid import UID; UID('odd'); import pydicom.valuerep as module"
    remembered = "vars(module).get('__warningregistry__', {})"
    check = f"import router.wire; {odd}; assert {remembered}.keys() <= {{'version'}}"
    subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=True)
