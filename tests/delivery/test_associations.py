"""How few associations a destination sees, and what goes over each."""

import threading
from pathlib import Path

import pytest

from router.dataset import open_part10
from tests.story.peers import StoreScp

from .site import CT, EXPLICIT, IMPLICIT, JPEG_LS, MR

PACS = """\
  pacs:
    ae_title: PACS
    host: 127.0.0.1
    port: {port}
    retry: {{first: 100 ms, longest: 200 ms}}
    associations: {associations}
    {more}
"""


def destination(peer, associations: int = 1, more: str = "") -> str:
    return PACS.format(port=peer.port, associations=associations, more=more)


def proposed(event) -> set[tuple[str, str]]:
    """What an association proposed, by SOP class and transfer syntax."""
    return {
        (str(context.abstract_syntax), str(syntax))
        for context in event.assoc.requestor.requested_contexts
        for syntax in context.transfer_syntax
    }


def test_what_waits_is_sent_over_one_association_in_its_order(scp, wait_until, site):
    peer = scp()
    uids = [site.queue(study=f"1.2.{number // 25}") for number in range(100)]
    site.start(destination(peer))
    wait_until(lambda: len(peer.uids) == 100)
    assert peer.uids == uids
    assert len(peer.opened) == 1


def test_what_comes_while_it_is_open_uses_it_too(scp, wait_until, site):
    peer = scp()
    site.start(destination(peer, more="close_after: 20 s"))
    for _ in range(5):
        uid = site.queue()
        wait_until(lambda uid=uid: site.state(uid) == "delivered")
    assert len(peer.opened) == 1
    assert peer.open_now() == 1


def test_an_idle_association_is_released(scp, wait_until, site):
    released = []
    peer = scp(EVT_RELEASED=released.append)
    site.start(destination(peer, more="close_after: 100 ms"))
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    wait_until(lambda: released and peer.open_now() == 0)
    site.queue()
    wait_until(lambda: len(peer.opened) == 2)


def test_an_association_for_each_study_where_that_is_wanted(scp, wait_until, site):
    released = []
    peer = scp(EVT_RELEASED=released.append)
    studies = ["1.2.1", "1.2.2", "1.2.3"]
    uids = {study: [site.queue(study=study) for _ in range(20)] for study in studies}
    site.start(destination(peer, more="close_after: study"))
    wait_until(lambda: len(peer.uids) == 60)
    assert [list(received) for received in peer.received.values()] == list(uids.values())
    wait_until(lambda: len(released) == 3)


def test_stopping_releases_every_association(scp, wait_until, site):
    released = []
    peer = scp(EVT_RELEASED=released.append)
    site.start(destination(peer, associations=3, more="close_after: 1 h"))
    uids = [site.queue(study=f"1.2.{number % 9}") for number in range(90)]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    site.deliveries.stop(10)
    wait_until(lambda: len(released) == len(peer.opened))
    assert [t.name for t in threading.enumerate() if t.name.startswith("deliver-")] == []


def test_stopping_leaves_the_rest_for_the_next_start(scp, wait_until, site):
    begun = threading.Event()

    def answer(event):
        begun.set()
        return 0

    peer = scp(answer)
    uids = [site.queue() for _ in range(300)]
    site.start(destination(peer))
    begun.wait(20)
    site.deliveries.stop(10)
    sent = len(peer.uids)
    assert sent < 300
    site.start(destination(peer))
    wait_until(lambda: len(peer.uids) == 300)
    assert peer.uids == uids, "nothing twice, nothing out of order"


def test_a_study_is_sent_by_one_association_at_a_time_and_in_order(scp, wait_until, site):
    study_of: dict[str, str] = {}
    sending: set[str] = set()
    together: set[int] = set()
    overlaps = []
    lock = threading.Lock()

    def answer(event):
        study = study_of[event.request.AffectedSOPInstanceUID]
        with lock:
            if study in sending:
                overlaps.append(study)
            sending.add(study)
            together.add(len(sending))
        with lock:
            sending.discard(study)
        return 0

    peer = scp(answer)
    order: list[str] = []
    for number in range(120):
        study = f"1.2.{number % 4}"
        uid = site.queue(study=study)
        study_of[uid] = study
        order.append(uid)
    site.start(destination(peer, associations=2))
    wait_until(lambda: len(peer.uids) == 120)
    assert overlaps == []
    assert len(peer.opened) == 2
    assert max(map(len, peer.received.values())) < 120, "both had something to do"
    for received in peer.received.values():
        for study in set(study_of.values()):
            mine = [uid for uid in received if study_of[uid] == study]
            assert mine == sorted(mine, key=order.index)


def test_a_new_kind_of_object_is_negotiated_once(scp, wait_until, site):
    peer = scp(contexts={CT: [EXPLICIT, IMPLICIT, JPEG_LS], MR: [EXPLICIT]})
    site.start(destination(peer, more="close_after: 1 h"))

    def deliver(**kind: str) -> None:
        uid = site.queue(**kind)
        wait_until(lambda: site.state(uid) == "delivered")

    deliver()
    deliver(sop_class=MR)
    assert len(peer.opened) == 2
    assert {(CT, EXPLICIT), (MR, EXPLICIT)} <= proposed(peer.opened[1])
    for _ in range(3):
        deliver()
        deliver(sop_class=MR)
    assert len(peer.opened) == 2
    deliver(transfer_syntax=JPEG_LS)
    assert len(peer.opened) == 3


def test_a_study_of_mixed_objects_is_one_association(scp, wait_until, site):
    peer = scp()
    uids = [site.queue(sop_class=(CT, MR)[number % 2]) for number in range(10)]
    site.start(destination(peer))
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert len(peer.opened) == 1


def test_more_kinds_than_an_association_has_contexts(scp, wait_until, site):
    classes = [CT, MR, *(f"1.2.840.10008.5.1.4.1.1.9.{number}.1" for number in range(1, 5))]
    classes += [f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (11, 22, 33, 34, 40, 50, 59)]
    syntaxes = [f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91)]
    syntaxes += ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.5"]
    peer = scp(contexts=dict.fromkeys(classes, syntaxes))
    uids = [
        site.queue(sop_class=sop_class, transfer_syntax=syntax)
        for syntax in syntaxes
        for sop_class in classes
    ]
    site.start(destination(peer, more="close_after: 1 h"))
    wait_until(lambda: len(peer.uids) == 130)
    assert peer.uids == uids
    assert len(peer.opened) <= 8
    assert 120 < max(len(proposed(event)) for event in peer.opened) <= 128


def test_the_calling_ae_title_may_be_the_modalitys_own(scp, wait_until, site):
    peer = scp()
    site.start(destination(peer, more='calling_ae_title: "{calling_ae_title}"'))
    for title in ("CT1", "CT1", "MR 7", "CT1"):
        uid = site.queue(calling_ae_title=title)
        wait_until(lambda uid=uid: site.state(uid) == "delivered")
    titles = [event.assoc.requestor.ae_title for event in peer.opened]
    assert titles == ["CT1", "MR 7", "CT1"]


def test_a_paused_destination_gets_nothing_more(scp, wait_until, site):
    gate = threading.Semaphore(0)

    def answer(event):
        gate.acquire(timeout=20)
        return 0

    peer = scp(answer)
    uids = [site.queue() for _ in range(100)]
    site.start(destination(peer))
    gate.release()
    wait_until(lambda: peer.uids)
    site.ledger.pause("pacs").result()
    gate.release(100)
    wait_until(lambda: site.ledger.summary().destinations[0].sending == 0)
    sent = len(peer.uids)
    assert sent < 10
    assert {site.state(uid) for uid in uids[sent:]} == {"queued"}
    site.ledger.resume("pacs").result()
    wait_until(lambda: len(peer.uids) == 100)
    assert peer.uids == uids


def test_storescp_gets_every_byte(dcmtk, started, free_port, tmp_path, wait_until, site):
    peer = StoreScp(tmp_path / "received", free_port(), "PACS")
    started.append(peer)
    peer.start()
    uids = [site.queue(padding=size) for size in (0, 2, 16370, 131_060, 3_000_000)]
    site.start(destination(peer, associations=2))
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    kept = sorted(path.read_bytes() for path in (site.spool.directory / "files").glob("*/*"))
    assert sorted(map(data_set, peer.files())) == kept


def data_set(path: Path) -> bytes:
    part10 = open_part10(path)
    return path.read_bytes()[part10.dataset_offset :]


@pytest.mark.parametrize("associations", [1, 8])
def test_an_outage_begins_with_the_first_silence_however_many_associations_fail(
    scp, wait_until, associations, site
):
    failing = threading.Barrier(associations)

    def answer(event):
        if len(peer.opened) < associations:
            return 0
        failing.wait(20)
        return 0xA700

    peer = scp(answer)
    for number in range(40 * associations):
        site.queue(study=f"1.2.{number % associations}")
    text = destination(peer, associations).replace("first: 100 ms, longest: 200 ms", "first: 1 h")
    deliveries = site.start(text.replace("1 h", "1 h, longest: 24 h"))
    wait_until(lambda: deliveries.outages())
    wait_until(lambda: site.ledger.summary().destinations[0].sending == 0)
    assert deliveries.outages()["pacs"].failures == 1
