"""What is answered to a C-STORE, and that only Success leaves anything behind."""

import os
import threading

import pytest

from router.intake import route_released
from router.spool import Selection
from router.testing import encode
from tests.routing.helpers import dataset
from tests.wire.peers import RawPeer, associate_request, pdu, pdv, store_command

from .station import CT, EXPLICIT, IMPLICIT, data_set

NOT_CT = "  - {name: mr, when: {Modality: MR}, to: [vna]}"
CHAIN = "  - {name: research, chain: [set: {PatientName: X}], to: [vna]}"


def test_an_instance_is_kept_byte_for_byte_and_queued_everywhere(station):
    started = station()
    uids = ("1.2.3.4", "1.2.3.5")
    content = {
        uid: data_set(SOPInstanceUID=uid, PatientID="4711", AccessionNumber="A-1") for uid in uids
    }
    assert [started.send(content[uid], uid=uid).status for uid in uids] == [0, 0]
    for instance in (*started.instances("1.2.3.4"), *started.instances("1.2.3.5")):
        assert [d.destination for d in instance.deliveries] == ["pacs", "vna"]
        assert (instance.association.calling_ae_title, instance.size) == (
            "CT1",
            len(content["1.2.3.4"]),
        )
    for task in started.tasks(2):
        [whole] = task.segments
        with open(whole.path, "rb") as file:
            file.seek(whole.offset)
            assert file.read(whole.length) == content[task.sop_instance_uid]
    assert len(started.ledger.where(accession_number="A-1").instances) == 2
    assert len(started.ledger.where(patient_id="4711").instances) == 2


def test_many_instances_over_one_association(station, wait_until):
    started = station()
    association = started.associate()
    for number in range(50):
        uid = f"1.2.3.{number}"
        content = data_set(SOPInstanceUID=uid, PatientID="x" * number)
        assert association.store(1, CT, uid, [content]).status == 0
    association.release()
    tasks = started.tasks(50)
    assert [task.sop_instance_uid for task in tasks] == [f"1.2.3.{n}" for n in range(50)]


def refused(started, wait_until, response, status: int, comment: str) -> None:
    """It was refused so, is remembered so, and left nothing behind."""
    assert (response.status, response.error_comment) == (status, comment[:64])
    wait_until(lambda: started.refusals() == [(status, comment)])
    wait_until(lambda: started.acceptor.associations == 0)
    assert started.files() == []
    assert started.ledger.summary().instances == 0


@pytest.mark.parametrize(
    ("elements", "comment"),
    [
        ({"SOPInstanceUID": "1.2.3.5"}, "SOP Instance UID of command and data set differ"),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"},
            "SOP Class UID of command and data set differ",
        ),
        ({"SOPInstanceUID": None}, "The data set has no SOP Instance UID"),
        (
            {"SOPInstanceUID": "1.2.3.4\\1.2.3.5"},
            "SOP Instance UID of command and data set differ",
        ),
    ],
)
def test_a_data_set_other_than_its_command_says(station, wait_until, elements, comment):
    started = station()
    content = data_set(**elements)
    refused(started, wait_until, started.send(content), 0xA900, comment)


def test_a_data_set_without_its_uids(station, wait_until):
    started = station()
    nothing = dict.fromkeys(("SOPClassUID", "SOPInstanceUID", "Modality"))
    response = started.send(data_set(**nothing))
    refused(started, wait_until, response, 0xA900, "The data set has no SOP Class UID")


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_data_set_that_ends_too_early(station, wait_until, cut):
    started = station()
    content = data_set(PatientID="P" * 60)
    response = started.send(content[:-cut])
    assert response.status == 0xC000
    assert response.error_comment.startswith("Data set broken: ")
    wait_until(started.refusals)
    [(status, reason)] = started.refusals()
    refused(started, wait_until, response, status, reason)


@pytest.mark.parametrize(
    "uid",
    ["../../x", "1.2.3/../4", "1.2\x003", "1" * 65, ".1.2", "1.2.3 4", "1.2.a", "*", "-1", "1.2\n"],
)
def test_uids_that_cannot_be_uids(station, wait_until, uid):
    started = station()
    response = started.send(b"", uid=uid)
    comment = "The command's SOP UIDs are not valid UIDs"
    refused(started, wait_until, response, 0xA900, comment)


@pytest.mark.parametrize("uid", ["1.2.3.04", "1" * 64, "0.0", "2.25.1"])
def test_uids_that_others_would_take_are_taken(station, uid):
    assert station().send(uid=uid).status == 0


def test_uids_that_are_strange_but_harmless_are_forwarded(station):
    """Leading zeros and private SOP classes come from real modalities."""
    started = station()
    assert started.send(uid="1.02.003", sop_class="1.2.826.0.1.3680043.2.1").status == 0


def test_no_route_takes_it(station, wait_until):
    started = station(routes=NOT_CT)
    comment = "No route takes it (listener radiology)"
    refused(started, wait_until, started.send(), 0x0124, comment)
    [instance] = started.ledger.where("1.2.3.4").refusals
    assert (instance.calling_ae_title, instance.address) == ("CT1", "127.0.0.1")


def test_a_comment_is_cut_to_what_fits(station):
    name = "a-listener-with-a-name-that-is-longer-than-a-comment"
    response = station(name=name, routes=NOT_CT).send()
    assert response.status == 0x0124
    assert response.error_comment == f"No route takes it (listener {name})"[:64]


@pytest.mark.parametrize(("unmatched", "held"), [("hold", 1), ("discard", 0)])
def test_an_instance_no_route_wants_may_be_held_or_discarded(station, unmatched, held):
    started = station(
        listener=f"unmatched: {unmatched}",
        routes=NOT_CT,
    )
    assert started.send().status == 0
    [instance] = started.instances()
    assert instance.deliveries == ()
    summary = started.ledger.summary()
    assert [(group.reason, group.count) for group in summary.held_instances] == (
        [("no route applies", 1)] if held else []
    )


def test_a_released_instance_takes_the_routes_there_are_now(station):
    ct, other = "1.2.3.1", "1.2.3.2"
    started = station(listener="unmatched: hold", routes=NOT_CT)
    assert started.send(uid=ct).status == started.send(uid=other, Modality="XX").status == 0
    assert started.instances(ct) and started.instances(other)
    started.ledger.release(Selection()).result()
    route_released(started.ledger, started.generation)
    assert [held.count for held in started.ledger.summary().held_instances] == [2]

    started.reload(routes="  - {name: ct, when: {Modality: CT}, to: [pacs, vna]}")
    started.ledger.release(Selection()).result()
    route_released(started.ledger, started.generation)
    assert started.destinations(ct) == ["pacs", "vna"]
    assert started.destinations(other) == []
    assert [held.count for held in started.ledger.summary().held_instances] == [1]


def test_a_released_instance_whose_file_is_gone_is_held_and_keeps_no_other_waiting(station):
    started = station(listener="unmatched: hold", routes=NOT_CT)
    started.send(uid="1.2.3.1", Modality="XX")
    [file] = started.files()
    started.send(uid="1.2.3.2", Modality="XX")
    file.unlink()
    assert started.instances("1.2.3.1") and started.instances("1.2.3.2")
    started.ledger.release(Selection()).result()
    route_released(started.ledger, started.generation)
    reasons = {group.reason for group in started.ledger.summary().held_instances}
    assert reasons == {
        "no route applies",
        "its file cannot be read: No such file or directory",
    }


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_lost(station, wait_until):
    started = station(keep_free="1000 TB")
    comment = "The router is out of disk space; send again later"
    refused(started, wait_until, started.send(), 0xA700, comment)


def test_when_there_is_space_again_instances_are_taken_again(station):
    started = station(keep_free="1000 TB")
    assert started.send().status == 0xA700
    started.reload(keep_free="0")
    assert started.send().status == 0


def sent_in_part(started) -> RawPeer:
    """A peer that has sent half of an instance and goes on holding the line."""
    peer = RawPeer.to(started.port)
    peer.send(associate_request([(CT, [EXPLICIT])]))
    assert peer.receive()[0] == 2
    peer.send(pdu(4, pdv(store_command(), 3)))
    for _ in range(10):
        peer.send(pdu(4, pdv(bytes(30_000), 0)))
    return peer


@pytest.mark.parametrize("fault", ["abort", "close"])
def test_an_association_that_ends_within_an_instance_leaves_no_file(station, wait_until, fault):
    started = station()
    peer = sent_in_part(started)
    wait_until(lambda: started.files() and started.files()[0].stat().st_size > 50_000)
    if fault == "abort":
        peer.send(pdu(7, bytes(4)))
    peer.close()
    wait_until(lambda: started.acceptor.associations == 0)
    assert started.files() == []
    assert started.send().status == 0


def test_what_came_before_in_the_association_stays(station, wait_until):
    started = station()
    content = data_set(SOPInstanceUID="1.2.3")
    peer = RawPeer.to(started.port)
    peer.send(associate_request([(CT, [EXPLICIT])]))
    assert peer.receive()[0] == 2
    peer.send(pdu(4, pdv(store_command(), 3)) + pdu(4, pdv(content, 2)))
    assert peer.status() == 0
    peer.send(pdu(4, pdv(store_command(2), 3)) + pdu(4, pdv(content[:50], 0)))
    peer.send(pdu(7, bytes(4)))
    peer.close()
    wait_until(lambda: started.acceptor.associations == 0)
    [task] = started.tasks()
    [whole] = task.segments
    [file] = started.files()
    assert file.read_bytes()[whole.offset :][: whole.length] == content


UNWALKABLE = (
    ("an unknown VR", b"\x10\x00\x20\x00ZZ\x02\x00P1"),
    ("a group of file meta information", b"\x02\x00\x10\x00UI\x04\x001.2\x00"),
)


@pytest.mark.parametrize(("what", "tail"), UNWALKABLE, ids=[what for what, _ in UNWALKABLE])
def test_a_data_set_that_cannot_be_walked_is_passed_on_as_it_came(station, what, tail):
    started = station(routes=CHAIN + "\n  - {name: plain, to: [pacs]}")
    content = data_set() + tail
    assert started.send(content).status == 0
    [task] = started.tasks()
    assert task.problem
    [copy] = started.ledger.claim_copies(10)
    assert (copy.route, copy.stored.problem) == ("research", task.problem)


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientID": b"\xff\x80\x00\x1b$B"},
        {"PatientID": "株式会社", "SpecificCharacterSet": "ISO_IR 192"},
        {"PatientID": b"\xff\x80", "SpecificCharacterSet": "ISO_IR 192"},
        {"PatientID": "x", "SpecificCharacterSet": "no such set"},
        {"PatientID": "x" * 5000},
        {"StudyInstanceUID": "not a uid"},
        {"StudyInstanceUID": None, "SeriesInstanceUID": None},
        {"AccessionNumber": "x\x00y"},
    ],
)
def test_strange_values_are_no_reason_to_refuse(station, elements):
    """The bytes go through as they are, whatever the ledger makes of them."""
    started = station()
    assert started.send(**elements).status == 0
    assert started.destinations() == ["pacs", "vna"]


def test_a_calling_ae_title_in_latin_1_is_no_reason_to_refuse(station):
    assert station().send(calling_ae_title="Rö 1").status == 0


def test_implicit_vr_stays_what_it_is(station):
    started = station()
    content = encode(dataset(), IMPLICIT)
    assert started.send(content, transfer_syntax=IMPLICIT).status == 0
    [task] = started.tasks()
    assert task.transfer_syntax == IMPLICIT


@pytest.mark.parametrize(
    ("destination", "calling", "goes"),
    [
        ("ae_title: CT1, host: 127.0.0.1", "CT1", False),
        ("ae_title: CT1, host: 127.0.0.1", "CT2", True),
        ("ae_title: CT1, host: 127.0.0.2", "CT1", True),
        ("ae_title: CT1, host: scanner.example", "CT1", False),
        ("ae_title: CT1, host: '::1'", "CT1", True),
    ],
)
def test_nothing_goes_back_to_where_it_came_from(station, destination, calling, goes):
    routes = "  - {name: r, to: [vna, back]}\n  - {name: s, to: [vna, back]}"
    started = station(routes=routes, more=f"  back: {{{destination}}}")
    assert started.send(calling_ae_title=calling).status == 0
    [instance] = started.instances()
    states = {(one.route, one.destination): one.state for one in instance.deliveries}
    assert states["r", "vna"] == "queued"
    assert states["r", "back"] == ("queued" if goes else "suppressed")


def test_associations_at_once_do_not_disturb_each_other(station):
    started = station()
    statuses = []

    def modality(number: int) -> None:
        association = started.associate(calling_ae_title=f"CT{number}")
        for instance in range(20):
            uid = f"1.2.{number}.{instance}"
            content = data_set(SOPInstanceUID=uid, PatientID="x" * 1000)
            statuses.append(association.store(1, CT, uid, [content]).status)
        association.release()

    threads = [threading.Thread(target=modality, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [0] * 160
    tasks = started.tasks(160)
    for task in tasks:
        [whole] = task.segments
        with open(whole.path, "rb") as file:
            file.seek(whole.offset)
            assert task.sop_instance_uid.encode() in file.read(whole.length)
    assert len({task.sop_instance_uid for task in tasks}) == 160


def test_a_spool_whose_disk_fails_answers_out_of_resources_and_is_remembered(
    station, wait_until, monkeypatch
):
    """The descriptor is gone while the instance is on its way: every write fails."""
    started = station()
    opened = []
    incoming = started.spool.incoming
    monkeypatch.setattr(started.spool, "incoming", lambda: opened.append(incoming()) or opened[-1])
    peer = sent_in_part(started)
    wait_until(lambda: opened and opened[0].size > 50_000)
    real, opened[0]._descriptor = opened[0]._descriptor, os.open(os.devnull, os.O_RDONLY)
    peer.send(pdu(4, pdv(bytes(1000), 2)))
    assert peer.status() == 0xA700
    peer.close()
    comment = "The router's storage failed; call its administrator"
    wait_until(lambda: started.refusals() == [(0xA700, comment)])
    assert (
        started.ledger.summary().failed == "cannot write a file of the spool: Bad file descriptor"
    )
    assert started.send().status == 0xA700
    os.close(real)
