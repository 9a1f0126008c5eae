"""What who is let in may do: services, SOP classes, how much at once, and as which user."""

import struct

import pytest

from router.config.passcodes import hashed
from router.intake.admission import Admitted, admit
from router.wire import (
    AssociationRejected,
    AssociationRequest,
    NoAcceptedContext,
    PeerCertificate,
    UserIdentity,
)
from tests.wire.peers import RawPeer, associate_request, item

from .station import CT, EXPLICIT, IMPLICIT, data_set, read

MR = "1.2.840.10008.5.1.4.1.1.4"
SHOWN = PeerCertificate("CN=CT1,O=Hospital", ("DNS:ct1.hospital", "IP Address:10.1.4.7"), "ab" * 32)


def judged(tmp_path, listener="", peer="", **asked):
    """Who a peer `ct` is taken for."""
    given = {"certificate": SHOWN, **asked}
    request = AssociationRequest("CT1", "ROUTER", "10.1.4.7", 1, (), "1.2", "T", 0, **given)
    more = f"peers:\n  ct: {{calling_ae_titles: [CT1]{peer}}}"
    return admit(request, "radiology", read(tmp_path, listener, more=more))


@pytest.mark.parametrize(
    ("certificate", "known"),
    [
        ('"SHA256:' + "AB:" * 31 + 'AB"', True),
        ('"SHA256:' + "AC" * 32 + '"', False),
        ("DNS:ct1.hospital", True),
        ("DNS:ct2.hospital", False),
        ("IP:10.1.4.7", True),
        ('"CN=CT1, O=Hospital"', True),
        ('"CN=CT1"', False),
        ('["DNS:ct2.hospital", "CN=CT1,O=Hospital"]', True),
    ],
)
def test_a_peer_is_known_by_its_certificate(tmp_path, certificate, known):
    admitted = judged(tmp_path, peer=f", certificate: {certificate}")
    assert (admitted.association.peer == "ct") == known
    assert admitted.association.tls_subject == "CN=CT1,O=Hospital"
    without = judged(tmp_path, peer=f", certificate: {certificate}", certificate=None)
    assert without.association.peer is None


def test_a_peer_is_known_by_what_it_calls_us(tmp_path):
    assert judged(tmp_path, peer=", called_ae_titles: [ROUTER]").association.peer == "ct"
    assert judged(tmp_path, peer=", called_ae_titles: [OTHER]").association.peer is None


@pytest.mark.parametrize(
    ("listener", "peer", "services", "ct", "mr"),
    [
        ("", "", {"store", "echo"}, True, True),
        ("services: [echo]", "", {"echo"}, False, False),
        ("", ", services: [store]", {"store"}, True, True),
        ("services: [echo]", ", services: [store]", set(), False, False),
        ("sop_classes: [CT Image Storage]", "", {"store", "echo"}, True, False),
        ("", ", sop_classes: [MRImageStorage]", {"store", "echo"}, False, True),
        (f"sop_classes: [{CT}]", f", sop_classes: [{MR}]", {"store", "echo"}, False, False),
    ],
)
def test_a_peer_may_do_what_both_it_and_the_listener_are_for(
    tmp_path, listener, peer, services, ct, mr
):
    admitted = judged(tmp_path, listener, peer)
    assert admitted.services == services
    assert (admitted.may_store(CT), admitted.may_store(MR)) == (ct, mr)


def test_a_sop_class_that_is_not_allowed_gets_no_context(station):
    started = station(listener="sop_classes: [CTImageStorage]")
    with pytest.raises(NoAcceptedContext):
        started.associate([(MR, [EXPLICIT])])
    association = started.associate([(CT, [EXPLICIT]), (MR, [EXPLICIT])])
    assert list(association.accepted) == [(CT, EXPLICIT)]
    association.release()


def test_a_peer_has_so_many_associations_at_once(station, wait_until):
    started = station(more="peers:\n  ct: {calling_ae_titles: [CT1], maximum_associations: 2}")
    first, second = started.associate(), started.associate()
    with pytest.raises(AssociationRejected) as caught:
        started.associate()
    assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 2)
    started.associate(calling_ae_title="CT2").release()
    first.release()
    wait_until(lambda: started.acceptor.associations == 1)
    started.associate().release()
    second.release()


def test_an_object_over_the_cap_is_refused_and_the_next_is_kept(station, caplog):
    started = station(listener="limits: {object: 1 KiB}")
    too_large = data_set(SOPInstanceUID="1.2.3.9", PixelData=bytes(2000))
    response = started.send(too_large, uid="1.2.3.9")
    assert response.status == 0x0124
    assert "limits.object" in response.error_comment
    assert started.send().status == 0
    assert started.instances()
    assert [why for _, why in started.refusals()] == [response.error_comment]


def test_nesting_over_the_cap_is_passed_on_as_it_came(station):
    sequence = b""
    for _ in range(5):
        within = struct.pack("<HHL", 0xFFFE, 0xE000, len(sequence)) + sequence
        sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, len(within)) + within
    started = station(listener="limits: {nesting: 3}")
    content = data_set()[: len(data_set())]
    inserted = content[: content.index(struct.pack("<HH", 0x0020, 0x000D))] + sequence
    inserted += content[content.index(struct.pack("<HH", 0x0020, 0x000D)) :]
    assert started.send(inserted).status == 0
    [task] = started.tasks()
    assert b"".join(open_(each) for each in task.segments) == inserted


def open_(segment):
    with open(segment.path, "rb") as file:
        file.seek(segment.offset)
        return file.read(segment.length)


@pytest.fixture
def users(tmp_path):
    (tmp_path / "users").write_text(f"# who\nct1:{hashed('sésame')}\n", "utf-8")
    (tmp_path / "users").chmod(0o600)
    return "accept: {user: users}"


@pytest.mark.parametrize(
    ("user", "known"),
    [
        (UserIdentity("ct1", "sésame".encode()), True),
        (UserIdentity("ct1", b"sesame"), False),
        (UserIdentity("ct2", "sésame".encode()), False),
        (UserIdentity("ct2", b""), False),
        (None, False),
    ],
)
def test_a_user_gives_the_passcode_that_the_file_has_the_hash_of(tmp_path, users, user, known):
    for _ in range(2):  # the second time it is remembered
        answer = judged(tmp_path, users, user=user)
        assert isinstance(answer, Admitted) == known
        if known:
            assert answer.association.user == "ct1"
        else:
            assert (answer.result, answer.source, answer.reason) == (1, 1, 1)


def identity(name, passcode, kind=2, response=1):
    content = struct.pack(">BBH", kind, response, len(name)) + name
    return item(0x58, content + struct.pack(">H", len(passcode)) + passcode)


def test_a_user_is_told_that_it_was_checked_where_it_asks(station, users):
    port = station(listener=users).port
    good = identity(b"ct1", "sésame".encode())
    with RawPeer.to(port) as peer:
        peer.send(associate_request([(CT, [IMPLICIT])], extra=good))
        kind, answer = peer.receive()
        assert kind == 2
        assert answer.endswith(item(0x59, struct.pack(">H", 0)))
    with RawPeer.to(port) as peer:
        peer.send(associate_request([(CT, [IMPLICIT])], extra=identity(b"ct1", b"wrong")))
        assert peer.receive() == (3, bytes([0, 1, 1, 1]))


def test_a_passcode_is_in_no_log_and_no_refusal(station, users, caplog):
    caplog.set_level("DEBUG")
    started = station(listener=users)
    with RawPeer.to(started.port) as peer:
        extra = identity(b"ct1", b"secret-of-mine")
        peer.send(associate_request([(CT, [IMPLICIT])], extra=extra))
        assert peer.receive()[0] == 3
    assert "association.rejected" in caplog.text
    assert "secret-of-mine" not in caplog.text + repr(started.refusals())
    assert "secret" not in repr(UserIdentity("ct1", b"secret"))
