"""Studies come together in the ledger: when one is complete, for whom, and what waits for it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from router.spool import HeldCopy, PlannedCopy, Selection, Skipped, Spool, StudyOutcome
from router.spool.records import Outcome

from .making import (
    ASSOCIATION,
    accept,
    arrival,
    deliver,
    deliveries,
    finish_copies,
    processed,
)

QUIET = 60.0
OTHER = dataclasses.replace(ASSOCIATION, calling_ae_title="CT2", listener="theatre")


def followed(*destinations: str, route: str = "research", **more) -> PlannedCopy:
    values = {"has_chain": False, "study_quiet": QUIET} | more
    return PlannedCopy(route, destinations, **values)


def together(*destinations: str, **more) -> PlannedCopy:
    return followed(*destinations, together=True, **more)


def later(seconds: float = QUIET + 1) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


class Studies:
    """What is complete, as who tells plugins of it sees it."""

    def __init__(self, spool: Spool) -> None:
        self.ledger = spool.ledger

    def complete(self, when: datetime | None = None) -> int:
        return self.ledger.complete_studies(when or later())

    def claim(self, when: datetime | None = None):
        return self.ledger.claim_studies(10, when or later())

    def tell(self, when: datetime | None = None) -> list[tuple[str, bool, list[str]]]:
        """(route, late, SOP Instance UIDs) of everything that plugins are told of now."""
        self.complete(when)
        told = []
        for task in self.claim(when):
            told.append((task.route, task.late, [copy.sop_instance_uid for copy in task.copies]))
            self.ledger.finish_study(task.id, StudyOutcome(("hook",))).result()
        return told


@pytest.fixture
def studies(spool) -> Studies:
    return Studies(spool)


def test_a_study_is_complete_once_when_nothing_more_of_it_came_for_the_quiet(spool, studies):
    accept(spool, followed("pacs"), uid="1.1")
    accept(spool, followed("pacs"), uid="1.2")
    assert studies.tell(later(QUIET - 5)) == []
    assert studies.tell() == [("research", False, ["1.1", "1.2"])]
    assert studies.tell() == []


def test_what_comes_late_completes_it_again_with_the_newcomers_only(spool, studies):
    accept(spool, followed("pacs"), uid="1.1")
    studies.tell()
    accept(spool, followed("pacs"), uid="1.2")
    assert studies.tell() == [("research", True, ["1.2"])]


def test_each_route_and_study_is_complete_for_itself(spool, studies):
    accept(spool, followed("pacs"), followed("vna", route="archive"), uid="1.1")
    accept(spool, followed("pacs"), uid="2.1", study_instance_uid="9.9")
    accept(spool, PlannedCopy("clinical", ("pacs",), False), uid="1.2")
    assert sorted(studies.tell()) == [
        ("archive", False, ["1.1"]), ("research", False, ["1.1"]), ("research", False, ["2.1"]),
    ]  # fmt: skip


def test_it_is_not_complete_while_an_association_that_brought_some_of_it_is_open(spool, studies):
    for association, uid in ((ASSOCIATION, "1.1"), (OTHER, "1.2")):
        spool.ledger.association_began(association)
        accept(spool, followed("pacs"), uid=uid, association=association)
    spool.ledger.association_ended(ASSOCIATION)
    assert studies.tell() == []
    spool.ledger.association_ended(OTHER)
    assert studies.tell() == [("research", False, ["1.1", "1.2"])]


def test_an_association_that_brings_other_studies_does_not_keep_it_open(spool, studies):
    spool.ledger.association_began(OTHER)
    accept(spool, followed("pacs"), uid="1.1")
    accept(spool, followed("pacs"), uid="2.1", study_instance_uid="9.9", association=OTHER)
    assert studies.tell() == [("research", False, ["1.1"])]


def test_an_association_that_reached_nobody_of_two_alike_is_still_open(spool, studies):
    spool.ledger.association_began(ASSOCIATION)
    spool.ledger.association_began(ASSOCIATION)
    accept(spool, followed("pacs"), uid="1.1")
    spool.ledger.association_ended(ASSOCIATION)
    assert studies.complete() == 0
    spool.ledger.association_ended(ASSOCIATION)
    assert studies.complete() == 1


def test_a_start_gives_what_gathers_its_quiet_again_and_told_is_told(tmp_path):
    with Spool(tmp_path / "spool") as spool:
        accept(spool, followed("pacs"), uid="1.1")
        accept(spool, followed("pacs"), uid="2.1", study_instance_uid="9.9")
        Studies(spool).tell()
        accept(spool, followed("pacs"), uid="1.2")
    with Spool(tmp_path / "spool") as spool:
        begun = datetime.now(UTC)
        spool.ledger.begin_quiet().result()
        due = spool.ledger.next_study()
        assert due is not None
        assert due - begun >= timedelta(seconds=QUIET)
        assert Studies(spool).tell(later(QUIET - 5)) == []
        assert Studies(spool).tell() == [("research", True, ["1.2"])]


def test_only_copies_that_were_processed_are_its_instances(spool, studies):
    for uid in ("1.1", "1.2", "1.3"):
        accept(spool, followed("pacs", has_chain=True), uid=uid)
    assert studies.complete() == 0, "nothing is decided"
    outcomes = [processed("pacs", uid="7.1"), Skipped("a localizer", "skip")]
    for task, outcome in zip(spool.ledger.claim_copies(2), outcomes, strict=True):
        spool.ledger.finish_copy(task.copy_id, outcome).result()
    assert studies.complete() == 0, "one is not decided"
    finish_copies(spool, research=HeldCopy("no", "check", "verify_instance"))
    assert studies.tell() == [("research", False, ["7.1"])]


def test_what_was_held_comes_late_once_it_is_released(spool, studies):
    accept(spool, together("pacs"), uid="1.1")
    accept(spool, together("pacs", has_chain=True), uid="1.2")
    finish_copies(spool, research=HeldCopy("no", "check", "verify_instance"))
    assert studies.tell() == [("research", False, ["1.1"])]
    spool.ledger.release(Selection()).result()
    finish_copies(spool, research=processed("pacs", uid="7.2"))
    assert deliver(spool, "pacs") == 1
    assert studies.tell() == [("research", True, ["7.2"])]
    assert deliver(spool, "pacs") == 1


def test_a_copy_that_is_to_be_tried_again_is_waited_for(spool, studies):
    accept(spool, followed("pacs", has_chain=True))
    finish_copies(spool, research=HeldCopy("no key", "deid", "rewrite_instance", retry_after=9999))
    assert studies.complete() == 0
    spool.ledger.discard(Selection(), "given up").result()
    assert studies.tell() == []


def test_a_study_of_which_nothing_was_processed_is_no_complete_study(spool, studies):
    accept(spool, followed("pacs", has_chain=True), uid="1.1")
    finish_copies(spool, research=Skipped("a localizer", "skip"))
    assert studies.tell() == []
    accept(spool, followed("pacs"), uid="1.2")
    assert studies.tell() == [("research", False, ["1.2"])]


def test_an_instance_sent_twice_is_in_it_once_as_it_came_last(spool, studies):
    first = accept(spool, followed("pacs"), uid="1.1", content=b"first")
    second = accept(spool, followed("pacs"), uid="1.1", content=b"and second")
    assert first != second
    studies.complete()
    [task] = studies.claim()
    assert [copy.stored.length for copy in task.copies] == [len(b"and second")]


def test_files_stay_until_everybody_has_been_told(spool, studies):
    accept(spool, followed("pacs"))
    assert deliver(spool, "pacs") == 1
    assert spool.expire(0, later()) == 0
    studies.complete()
    [task] = studies.claim()
    assert spool.expire(0, later()) == 0
    spool.ledger.finish_study(task.id, StudyOutcome((), HeldCopy("no", "p", "h")), later()).result()
    assert spool.expire(0, later()) == 0
    [task] = studies.claim(later(QUIET + 5))
    assert task.attempts == 1
    spool.ledger.finish_study(task.id, StudyOutcome(("p",))).result()
    assert spool.expire(0, later()) == 1


def test_files_of_what_was_skipped_may_go_when_the_study_is_complete(spool, studies):
    accept(spool, followed("pacs", has_chain=True))
    finish_copies(spool, research=Skipped("a localizer", "skip"))
    studies.complete()
    assert spool.expire(0, later()) == 1


def test_who_was_told_is_kept_when_another_fails(spool, studies):
    accept(spool, followed("pacs"))
    studies.complete()
    [task] = studies.claim()
    assert studies.claim() == [], "it is claimed"
    outcome = StudyOutcome(("first",), HeldCopy("no", "second", "study_complete"))
    spool.ledger.finish_study(task.id, outcome, later(30)).result()
    assert studies.claim(later(29)) == []
    assert studies.claim(later(31))[0].told == ("first",)


def test_late_arrivals_are_told_after_what_was_complete_before(spool, studies):
    accept(spool, followed("pacs"), uid="1.1")
    studies.complete()
    [task] = studies.claim()
    failed = StudyOutcome((), HeldCopy("no", "second", "study_complete"))
    spool.ledger.finish_study(task.id, failed, later(3600)).result()
    accept(spool, followed("pacs"), uid="1.2")
    assert studies.complete() == 1
    assert studies.tell() == []
    assert [late for _, late, _ in studies.tell(later(3601))] == [False]
    assert [late for _, late, _ in studies.tell(later(3601))] == [True]


def test_deliveries_go_together_when_the_study_is_complete(spool, studies):
    for uid in ("1.1", "1.2"):
        accept(spool, together("pacs", "vna"), uid=uid)
    assert deliver(spool, "pacs") == 0
    assert spool.ledger.claim("pacs", 9, later(1e6)) == []
    assert spool.ledger.waiting_bytes("pacs") == 8
    assert spool.ledger.waiting() == [], "nobody is late"
    [instance] = spool.ledger.where("1.1").instances
    assert [each.reason for each in instance.deliveries] == ["its study is not complete"] * 2
    topics: set[str] = set()
    spool.ledger.subscribe(topics.update)
    studies.complete()
    assert {"destination:pacs", "destination:vna"} <= topics
    assert [deliver(spool, "pacs"), deliver(spool, "vna")] == [2, 2]


def test_retrying_does_not_send_what_waits_for_its_study_and_releasing_does(spool):
    accept(spool, together("pacs"))
    assert spool.ledger.retry(Selection()).result() == 0
    assert deliver(spool, "pacs") == 0
    spool.ledger.hold(Selection(), "wait").result()
    assert spool.ledger.release(Selection()).result() == 1
    assert deliver(spool, "pacs") == 1


def test_another_route_does_not_wait_for_the_study(spool):
    accept(spool, PlannedCopy("clinical", ("vna",), False), together("pacs"))
    assert [deliver(spool, "vna"), deliver(spool, "pacs")] == [1, 0]


def test_an_earlier_version_leaving_does_not_send_half_a_study(spool, studies):
    accept(spool, PlannedCopy("clinical", ("pacs",), False), uid="1.1")
    accept(spool, together("pacs"), uid="1.1")
    assert deliver(spool, "pacs") == 1
    assert deliver(spool, "pacs") == 0
    studies.complete()
    assert deliver(spool, "pacs") == 1


def test_two_versions_in_a_study_leave_one_after_the_other(spool, studies):
    accept(spool, together("pacs"), uid="1.1")
    accept(spool, together("pacs"), uid="1.1")
    studies.complete()
    assert deliver(spool, "pacs") == 1
    assert deliver(spool, "pacs") == 1
    assert [state for _, _, state in deliveries_of(spool)] == ["delivered"] * 2


def deliveries_of(spool: Spool):
    return [
        (each.destination, each.route, each.state)
        for instance in spool.ledger.where("1.1").instances
        for each in instance.deliveries
    ]


def test_a_sender_that_waits_for_the_processing_is_answered_before_the_study_is_complete(spool):
    row = accept(spool, together("pacs", has_chain=True), pending=True)
    finish_copies(spool, research=processed("pacs"))
    assert spool.ledger.outcome(row, []).result(10) == Outcome(0)
    assert deliveries(spool) == [("pacs", "research", "queued")]
    assert deliver(spool, "pacs") == 0


def test_what_a_crash_left_in_the_files_gathers_as_well(tmp_path):
    with Spool(tmp_path / "spool") as spool:
        planned = together("pacs")
    from router.spool.journal import _decode_record, encode_record

    with Spool(tmp_path / "other") as spool:
        kept = arrival(spool, planned)
        record = encode_record(kept)
        again = _decode_record(record, kept.stored.path, (0, 1), kept.stored.length)
        assert again.copies == (planned,)


def test_what_was_told_longer_ago_than_the_history_is_forgotten(spool, studies):
    accept(spool, followed())
    studies.tell()
    [study] = spool.ledger.where("1.2.3").studies
    assert (study.route, study.state, study.late) == ("research", "told", False)
    spool.expire(0, later())
    spool.ledger.forget(later()).result()
    accept(spool, followed())
    assert [study.late for study in spool.ledger.where("1.2.3").studies] == [False]


def test_the_summary_has_what_gathers_and_what_could_not_be_told(spool, studies):
    accept(spool, followed("pacs"), uid="1.1")
    studies.complete()
    [task] = studies.claim()
    failed = StudyOutcome((), HeldCopy("no answer", "webhook", "study_complete"))
    spool.ledger.finish_study(task.id, failed, later()).result()
    accept(spool, followed("pacs"), uid="2.1", study_instance_uid="9.9")
    found = [
        (each.route, each.state, each.plugin, each.reason, each.count)
        for each in spool.ledger.summary().studies
    ]
    assert found == [
        ("research", "gathering", "", "", 1), ("research", "complete", "webhook", "no answer", 1),
    ]  # fmt: skip


def test_a_person_may_have_a_study_told_at_once_or_given_up(spool, studies):
    failed = StudyOutcome((), HeldCopy("no answer", "webhook", "study_complete"))
    for uid in ("9.1", "9.2"):
        accept(spool, followed(), uid=f"{uid}.1", study_instance_uid=uid)
    studies.complete()
    for task in studies.claim():
        spool.ledger.finish_study(task.id, failed, later(3600)).result()
    assert studies.claim() == []
    assert spool.ledger.retry_studies(Selection(destination="pacs")).result() == 0
    assert spool.ledger.retry_studies(Selection(reason="answer")).result() == 2
    given_up = Selection(route="research", study_instance_uid="9.1")
    assert spool.ledger.give_up_studies(given_up, "not needed").result() == 1
    [task] = studies.claim()
    assert task.original_study_instance_uid == "9.2"
    assert spool.expire(0, later()) == 1
    [study] = spool.ledger.where("9.1").studies
    assert (study.state, study.reason) == ("told", "not needed")


def test_the_next_quiet_is_known(spool, studies):
    assert spool.ledger.next_study() is None
    accept(spool, followed("pacs"))
    due = spool.ledger.next_study()
    assert due is not None
    assert 0 < (due - datetime.now(UTC)).total_seconds() <= QUIET
    assert spool.ledger.next_study(later()) is None, "nothing that time alone brings"
