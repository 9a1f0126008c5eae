"""What status, where and the refusals of a day tell."""

from datetime import timedelta

import pytest

from router.spool import Attempt, HeldCopy, IntakeRefusal, Spool, accepting
from tests.spool.making import (
    ASSOCIATION,
    LATER,
    NOW,
    accept,
    deliver,
    finish_copies,
    planned,
    processed,
)


def test_a_destination_that_fails_says_since_when_and_why(spool: Spool) -> None:
    accept(spool, planned("pacs"), uid="1.1", content=b"x" * 10)
    accept(spool, planned("pacs"), uid="1.2", content=b"x" * 20, study_instance_uid="9")
    (task,) = spool.ledger.claim("pacs", 1)
    for time, status in ((NOW, None), (LATER, 0xA700)):
        attempt = Attempt(task.delivery_id, time, "retry", status, "out of disk", time)
        spool.ledger.finish([attempt]).result(20)
    spool.ledger.claim("pacs", 1)
    (pacs,) = spool.ledger.summary().destinations
    assert (pacs.destination, pacs.queued, pacs.sending, pacs.held) == ("pacs", 2, 1, 0)
    assert (pacs.studies_waiting, pacs.bytes_waiting) == (2, 30)
    assert pacs.oldest == task.first_queued
    assert (pacs.failing_since, pacs.last_status) == (NOW, 0xA700)
    assert (pacs.last_comment, pacs.last_success, pacs.paused) == ("out of disk", None, False)


def test_a_success_ends_the_failure(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 1)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", 0xA700, "full")]).result(20)
    deliver(spool, "pacs")
    (pacs,) = spool.ledger.summary().destinations
    assert (pacs.queued, pacs.sending, pacs.last_success) == (0, 0, NOW)
    assert (pacs.failing_since, pacs.last_status, pacs.last_comment) == (None, None, "")


def test_a_failure_after_a_success_in_one_commit_is_a_failure(spool: Spool) -> None:
    for uid in ("1.1", "1.2"):
        accept(spool, planned("pacs"), uid=uid)
    first, second = spool.ledger.claim("pacs", 2)
    attempts = [
        Attempt(first.delivery_id, NOW, "delivered", 0),
        Attempt(second.delivery_id, LATER, "retry", None, "reset"),
    ]
    spool.ledger.finish(attempts).result(20)
    (pacs,) = spool.ledger.summary().destinations
    assert (pacs.last_success, pacs.failing_since) == (NOW, LATER)


def test_the_summary_counts_what_waits_for_a_chain_and_what_is_held(spool: Spool) -> None:
    for number in range(3):
        accept(spool, planned("vna", route="deid", chain=True), uid=f"1.{number}")
    accept(spool, uid="1.9", held_reason="no route")
    for task in spool.ledger.claim_copies(2):
        outcome = HeldCopy("burned-in text", "pixels", "verify_instance")
        spool.ledger.finish_copy(task.copy_id, outcome).result(20)
    spool.ledger.pause("vna").result(20)
    summary = spool.ledger.summary()
    assert summary.copies_waiting == 1
    (held,) = summary.held_copies
    assert (held.route, held.reason, held.plugin, held.hook, held.count) == (
        "deid",
        "burned-in text",
        "pixels",
        "verify_instance",
        2,
    )
    assert [(one.reason, one.count) for one in summary.held_instances] == [("no route", 1)]
    assert [(one.destination, one.paused) for one in summary.destinations] == [("vna", True)]
    assert (summary.instances, summary.spool_bytes) == (4, 16)
    assert (summary.missing_files, summary.failed) == (0, None)


def test_refusals_of_the_last_day_are_grouped(spool: Spool) -> None:
    def refuse(ago: float, calling: str = "CT1", status: int = 0x0124) -> None:
        time = LATER - timedelta(hours=ago)
        refusal = IntakeRefusal(time, "radiology", calling, "10.1.4.7", "1.2", status, "no route")
        spool.ledger.refused(refusal)

    refuse(25)
    refuse(3)
    refuse(2)
    refuse(1, calling="MR1")
    refuse(0.5, status=0xA700)
    accept(spool, planned("pacs"))
    groups = spool.ledger.summary(LATER).refusals
    assert [(one.calling_ae_title, one.status, one.count) for one in groups] == [
        ("CT1", 0xA700, 1),
        ("MR1", 0x0124, 1),
        ("CT1", 0x0124, 2),
    ]
    assert groups[2].last == LATER - timedelta(hours=2)


def test_what_was_accepted_after_it_was_refused_needs_nobody(spool: Spool) -> None:
    for uid, ago in (("1.7", 1), ("1.8", 1), ("1.7", -1)):
        time = NOW - timedelta(hours=ago)
        refusal = IntakeRefusal(time, "radiology", "CT1", "10.1.4.7", uid, 0xA700, "disk full")
        spool.ledger.refused(refusal)
        if ago > 0 and uid == "1.8":
            accept(spool, planned("pacs"), uid="1.7")
            accept(spool, planned("pacs"), uid="1.8")
    accept(spool, planned("pacs"), uid="1.9")  # by then the last refusal is recorded, too
    (group,) = spool.ledger.summary(LATER).refusals
    assert (group.count, group.last) == (1, NOW + timedelta(hours=1))


def test_what_was_refused_is_found_by_its_uid_as_long_as_it_is_kept(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "MOST_REFUSALS", 2)
    refusals = [
        IntakeRefusal(NOW, "radiology", "CT1", "10.1.4.7", f"1.{number}", 0x0124, "no route")
        for number in range(3)
    ]
    for refusal in refusals:
        spool.ledger.refused(refusal)
    accept(spool, planned("pacs"))
    found = [spool.ledger.where(f"1.{number}").refusals for number in range(3)]
    assert found == [(), (refusals[1],), (refusals[2],)]


@pytest.mark.parametrize(
    "question",
    [
        {"uid": "1.2.3.4.5"},
        {"uid": "1.2.3.4"},
        {"uid": "1.2.3"},
        {"uid": "2.25.1"},
        {"uid": "2.25.3"},
        {"accession_number": "A-1"},
        {"patient_id": "4711"},
    ],
)
def test_an_instance_is_found_by_every_identifier(spool: Spool, question: dict[str, str]) -> None:
    accept(spool, planned("vna", chain=True))
    accept(spool, planned("pacs"), uid="9.1", study_instance_uid="9", series_instance_uid="9.2",
           patient_id="other", accession_number="other")  # fmt: skip
    changed = processed("vna", uid="2.25.1", study_instance_uid="2.25.3", notes=("kept at 7",))
    finish_copies(spool, clinical=changed)
    (instance,) = spool.ledger.where(**question).instances
    assert (instance.sop_instance_uid, instance.association) == ("1.2.3.4.5", ASSOCIATION)
    assert (instance.received, instance.size, instance.kept) == (NOW, 4, True)
    (copy,) = instance.copies
    assert (copy.sop_instance_uid, copy.study_instance_uid) == ("2.25.1", "2.25.3")
    assert (copy.state, copy.destinations, copy.notes) == ("processed", ("vna",), ("kept at 7",))
    (delivery,) = instance.deliveries
    assert (delivery.destination, delivery.state) == ("vna", "queued")
    assert delivery.sop_instance_uid == "2.25.1"


def test_a_trail_does_not_echo_who_the_patient_is(spool: Spool) -> None:
    accept(spool, planned("pacs"), patient_id="4711", accession_number="A-0815")
    trail = repr(spool.ledger.where("1.2.3.4.5"))
    assert "4711" not in trail
    assert "0815" not in trail


def test_the_same_instance_sent_twice_has_two_trails(spool: Spool) -> None:
    ids = [accept(spool, planned("pacs")), accept(spool, planned("pacs"))]
    trail = spool.ledger.where("1.2.3.4.5")
    assert [one.instance_id for one in trail.instances] == ids
    assert not trail.truncated
    assert spool.ledger.where("1.2.3.4.5", limit=1).truncated


@pytest.mark.parametrize("question", [{}, {"uid": "1", "patient_id": "2"}])
def test_where_wants_exactly_one_identifier(spool: Spool, question: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="one of"):
        spool.ledger.where(**question)
