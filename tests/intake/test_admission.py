"""Who may associate: a table by address, name and peer, and what is said on a real socket."""

import pytest

from router.intake.admission import Admitted, admit
from router.wire import AssociationRejected, AssociationRequest

from .station import read

CALLING, CALLED, NO_REASON = 3, 7, 1
PEERS = """\
peers:
  ct: {calling_ae_titles: ["CT*"], networks: [10.1.0.0/16], services: [store]}
  mr: {calling_ae_titles: [MR1], networks: ["2001:db8::/32"]}
  inside: {networks: [10.0.0.0/8], services: [echo]}
"""


def request(calling: str = "CT1", address: str = "10.1.4.7", called: str = "ROUTER"):
    return AssociationRequest(calling, called, address, 1234, (), "1.2.3", "TEST", 16384)


def judged(tmp_path, listener: str, asked: AssociationRequest) -> int | None:
    """The reason it is rejected for; None when it is admitted."""
    answer = admit(asked, "radiology", read(tmp_path, listener, more=PEERS))
    if isinstance(answer, Admitted):
        return None
    assert (answer.result, answer.source) == (1, 1)
    return answer.reason


@pytest.mark.parametrize(
    ("listener", "asked", "reason"),
    [
        ("", request(), None),
        ("", request(calling="ANY", address="192.0.2.1"), None),
        ("", request(called="OTHER"), CALLED),
        ("", request(called="router"), CALLED),
        ("", request(called=""), CALLED),
        ("accept: {calling_ae_titles: [CT1]}", request(), None),
        ("accept: {calling_ae_titles: [CT1]}", request("CT2"), CALLING),
        ("accept: {calling_ae_titles: [CT1]}", request("ct1"), CALLING),
        ("accept: {calling_ae_titles: ['CT?', 'MR*']}", request("CT2"), None),
        ("accept: {calling_ae_titles: ['CT?', 'MR*']}", request("MR"), None),
        ("accept: {calling_ae_titles: ['CT?', 'MR*']}", request("CT12"), CALLING),
        ("accept: {calling_ae_titles: ['CT[12]']}", request("CT1"), CALLING),
        ("accept: {calling_ae_titles: ['CT[12]']}", request("CT[12]"), None),
        ("accept: {networks: [10.1.0.0/16]}", request(), None),
        ("accept: {networks: [10.1.0.0/16]}", request(address="10.2.0.1"), NO_REASON),
        ("accept: {networks: [10.1.0.0/16]}", request(address="::ffff:10.1.4.7"), None),
        ("accept: {networks: [10.1.0.0/16]}", request(address="::ffff:10.2.0.1"), NO_REASON),
        ("accept: {networks: [10.1.4.7]}", request(), None),
        ("accept: {networks: [10.1.0.0/16]}", request(address="2001:db8::1"), NO_REASON),
        ("accept: {networks: ['2001:db8::/32']}", request(address="2001:db8::1"), None),
        ("accept: {networks: ['fe80::/10']}", request(address="fe80::1%eth0"), None),
        ("accept: {networks: ['::/0']}", request(), NO_REASON),
        ("accept: {peers: all}", request(), None),
        ("accept: {peers: all}", request(address="192.0.2.1"), CALLING),
        ("accept: {peers: [ct]}", request(), None),
        ("accept: {peers: [mr]}", request(), CALLING),
        ("accept: {peers: [mr]}", request("MR1", "2001:db8::1"), None),
        ("accept: {peers: [ct], calling_ae_titles: [CT2]}", request(), CALLING),
    ],
)
def test_a_listener_admits_who_fits_all_that_is_given(tmp_path, listener, asked, reason):
    assert judged(tmp_path, listener, asked) == reason


@pytest.mark.parametrize(
    ("asked", "peer", "services"),
    [
        (request("CT7"), "ct", {"store"}),
        (request("MR1", "10.1.4.7"), "inside", {"echo"}),
        (request("MR1", "2001:db8::1"), "mr", {"store", "echo"}),
        (request("CT7", "::ffff:10.1.4.7"), "ct", {"store"}),
        (request("CT7", "192.0.2.1"), None, {"store", "echo"}),
    ],
)
def test_the_first_peer_that_fits_says_who_it_is_and_what_it_may(tmp_path, asked, peer, services):
    admitted = admit(asked, "radiology", read(tmp_path, more=PEERS))
    assert isinstance(admitted, Admitted)
    assert admitted.association.peer == peer
    assert admitted.services == services
    assert admitted.association.calling_ae_title == asked.calling_ae_title
    assert admitted.association.address == asked.address
    assert admitted.association.listener == "radiology"


@pytest.mark.parametrize(
    ("listener", "calling", "called", "reason"),
    [
        ("", "CT1", "OTHER", CALLED),
        ("accept: {calling_ae_titles: [MR1]}", "CT1", "ROUTER", CALLING),
        ("accept: {networks: [10.0.0.0/8]}", "CT1", "ROUTER", NO_REASON),
        ("accept: {peers: all}", "CT1", "ROUTER", CALLING),
    ],
)
def test_a_rejection_says_why_on_the_wire(station, listener, calling, called, reason):
    started = station(listener=listener)
    with pytest.raises(AssociationRejected) as rejected:
        started.associate(calling_ae_title=calling, called_ae_title=called)
    assert (rejected.value.result, rejected.value.source) == (1, 1)
    assert rejected.value.reason == reason
