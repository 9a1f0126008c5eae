"""Which presentation contexts are accepted: storage of any kind, and echo; nothing else yet."""

import pytest

from router.intake.contexts import choose_transfer_syntax, is_storage
from router.wire import NoAcceptedContext
from tests.wire.peers import RawPeer, associate_request
from tests.wire.test_serving import contexts_of

from .station import CT, EXPLICIT, IMPLICIT

BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
JPEG_LS = "1.2.840.10008.1.2.4.80"
HTJ2K_DEFLATE = "1.2.840.10008.1.2.4.205"
PRIVATE = "1.2.826.0.1.3680043.2.1"
VERIFICATION = "1.2.840.10008.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


@pytest.mark.parametrize(
    ("sop_class_uid", "storage"),
    [
        (CT, True),
        ("1.2.840.10008.5.1.4.1.1.88.11", True),  # Basic Text SR
        ("1.2.840.10008.5.1.4.1.1.104.1", True),  # Encapsulated PDF
        ("1.2.840.10008.5.1.4.1.1.481.3", True),  # RT Structure Set
        ("1.2.840.10008.5.1.4.34.7", True),  # RT Beams Delivery Instruction
        ("1.2.840.10008.5.1.4.1.1.9999.1", True),  # younger than the dictionary
        (PRIVATE, True),
        ("1.2.840.113619.4.26", True),
        (VERIFICATION, False),
        (FIND, False),
        ("1.2.840.10008.5.1.4.1.2.2.2", False),  # Study Root MOVE
        ("1.2.840.10008.5.1.4.31", False),  # Modality Worklist
        ("1.2.840.10008.1.20.1", False),  # Storage Commitment Push Model
        ("1.2.840.10008.1.3.10", False),  # Media Storage Directory
        ("1.2.840.10008.3.1.2.3.3", False),  # Modality Performed Procedure Step
        ("1.2.840.10008.5.1.1.9", False),  # Basic Grayscale Print Management
        ("1.2.840.10008.5.1.4.99", False),
        ("1.2.840.10008.1.2", False),  # a transfer syntax
    ],
)
def test_what_c_store_may_bring(sop_class_uid, storage):
    assert is_storage(sop_class_uid) == storage


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        ([IMPLICIT], "all", IMPLICIT),
        ([IMPLICIT, EXPLICIT], "all", EXPLICIT),
        ([EXPLICIT, IMPLICIT], "all", EXPLICIT),
        ([JPEG_LS, EXPLICIT], "all", JPEG_LS),
        ([IMPLICIT, JPEG_LS], "all", IMPLICIT),
        ([IMPLICIT, JPEG_LS, EXPLICIT], "all", EXPLICIT),
        ([BIG_ENDIAN], "all", BIG_ENDIAN),
        ([BIG_ENDIAN, IMPLICIT], "all", IMPLICIT),
        ([BIG_ENDIAN, IMPLICIT, EXPLICIT], "all", EXPLICIT),
        ([PRIVATE], "all", PRIVATE),
        ([DEFLATED], "all", None),
        ([DEFLATED_FRAMES, EXPLICIT], "all", DEFLATED_FRAMES),
        ([HTJ2K_DEFLATE, DEFLATED, IMPLICIT], "all", IMPLICIT),
        ([EXPLICIT, JPEG_LS], (JPEG_LS, EXPLICIT), JPEG_LS),
        ([EXPLICIT, IMPLICIT], (JPEG_LS, IMPLICIT), IMPLICIT),
        ([EXPLICIT], (JPEG_LS,), None),
        ([DEFLATED], (DEFLATED,), DEFLATED),
        ([], "all", None),
    ],
)
def test_the_transfer_syntax_of_those_offered(offered, wanted, chosen):
    assert choose_transfer_syntax(offered, wanted) == chosen


def answers(port: int, proposed) -> list[tuple[int, str]]:
    with RawPeer.to(port) as peer:
        peer.send(associate_request(proposed))
        kind, body = peer.receive()
    assert kind == 2
    found = sorted(contexts_of(body).items())
    return [(result, syntax if result == 0 else "") for _, (result, syntax) in found]


def test_every_context_is_answered_for_itself(station):
    proposed = [
        (CT, [IMPLICIT, EXPLICIT]),
        (PRIVATE, [IMPLICIT]),
        (FIND, [IMPLICIT]),
        (VERIFICATION, [IMPLICIT]),
        (CT, [DEFLATED]),
    ]
    accepted = [(0, EXPLICIT), (0, IMPLICIT), (3, ""), (0, IMPLICIT), (4, "")]
    assert answers(station().port, proposed) == accepted


def test_a_service_a_peer_may_not_use_is_rejected_by_the_user(station):
    more = "peers: {echoes: {calling_ae_titles: ['*'], services: [echo]}}"
    proposed = [(CT, [EXPLICIT]), (VERIFICATION, [IMPLICIT]), (FIND, [IMPLICIT])]
    found = answers(station(more=more).port, proposed)
    assert found == [(1, ""), (0, IMPLICIT), (3, "")]


def test_a_listener_may_prefer_transfer_syntaxes_and_still_echo(station):
    listener = f"transfer_syntaxes: [{JPEG_LS}, {EXPLICIT}]"
    proposed = [(CT, [EXPLICIT, JPEG_LS]), (CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT])]
    found = answers(station(listener=listener).port, proposed)
    assert found == [(0, JPEG_LS), (4, ""), (0, IMPLICIT)]


def test_echo_is_answered(station):
    association = station().associate([(VERIFICATION, [IMPLICIT])])
    assert association.echo().status == 0
    association.release()


def test_of_nothing_acceptable_nothing_is_accepted_and_that_is_recorded(station, wait_until):
    found = station(listener=f"transfer_syntaxes: [{EXPLICIT}]")
    with pytest.raises(NoAcceptedContext):
        found.associate([(FIND, [IMPLICIT]), (CT, [IMPLICIT]), (PRIVATE, [JPEG_LS])])
    wait_until(lambda: found.spool.ledger.summary().refusals)
    [refusal] = found.spool.ledger.summary().refusals
    assert refusal.status == 0
    assert refusal.reason == (
        "nothing it asks for is accepted: Study Root Query/Retrieve Information Model - FIND "
        "(no service here), CT Image Storage (none of its transfer syntaxes), "
        f"{PRIVATE} (none of its transfer syntaxes)"
    )


def test_what_is_not_agreed_on_is_logged_where_something_is(station, wait_until, caplog):
    caplog.set_level("INFO", "router.intake")
    found = station(more="peers: {echoes: {calling_ae_titles: ['*'], services: [echo]}}")
    many = [(f"{PRIVATE}.{number}", [EXPLICIT]) for number in range(7)]
    proposed = [(VERIFICATION, [DEFLATED]), (VERIFICATION, [IMPLICIT]), *many]
    found.associate(proposed).release()
    wait_until(lambda: "association.ended" in caplog.text)
    told = [each for each in caplog.messages if each.startswith("association.not_agreed ")]
    named = ", ".join(f"{uid} (not for this sender)" for uid, _ in many[:5])
    assert [each.partition(" contexts=")[2] for each in told] == [f"'{named} and 2 more'"]
    assert found.spool.ledger.summary().refusals == ()
