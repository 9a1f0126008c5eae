"""Deliveries moved to another destination, and instances sent again while their files are here."""

from datetime import timedelta

import pytest

from router.config import load
from router.spool import Attempt, HeldCopy, Selection, Spool

from .making import (
    LATER,
    NOW,
    accept,
    deliver,
    deliveries,
    finish_copies,
    planned,
    processed,
)


def trail(spool: Spool, uid: str = "1.2.3.4.5"):
    [instance] = spool.ledger.where(uid).instances
    return instance.deliveries


def move(spool: Spool, to: str = "archive", **selection: str) -> int:
    return spool.ledger.move(Selection(**{"destination": "pacs", **selection}), to).result(20)


@pytest.mark.parametrize("state", ["queued", "waiting", "held"])
def test_what_is_open_is_moved_and_sent_from_there(spool, state):
    accept(spool, planned("pacs"))
    [task] = spool.ledger.claim("pacs", 1)
    if state == "waiting":
        attempt = Attempt(task.delivery_id, NOW, "refused", 0xC000, "", LATER)
        spool.ledger.finish([attempt]).result(20)
    spool.ledger.release_claims([task.delivery_id])
    if state == "held":
        spool.ledger.hold(Selection(), "wait").result(20)
    assert move(spool) == 1
    assert spool.ledger.claim("pacs", 9) == []
    [task] = spool.ledger.claim("archive", 9)
    assert (task.attempts, task.refusals) == (0, 0)
    [delivery] = trail(spool)
    assert (delivery.destination, delivery.note) == ("archive", "moved from pacs")


def test_only_the_selected_and_nothing_that_is_delivered_is_moved(spool):
    accept(spool, planned("pacs"), uid="1.1")
    deliver(spool, "pacs")
    accept(spool, planned("pacs"), uid="1.2", study_instance_uid="1.2.2")
    accept(spool, planned("pacs"), uid="1.3", study_instance_uid="1.2.3")
    assert move(spool, study_instance_uid="1.2.2") == 1
    assert deliveries(spool, "1.1") == [("pacs", "clinical", "delivered")]
    assert deliveries(spool, "1.2") == [("archive", "clinical", "queued")]
    assert deliveries(spool, "1.3") == [("pacs", "clinical", "queued")]


def test_what_goes_there_anyway_does_not_go_twice(spool):
    accept(spool, planned("pacs", "archive"))
    assert move(spool) == 1
    gone, kept = trail(spool)
    assert (gone.state, gone.reason) == (
        "suppressed", "moved to archive, which gets it anyway",
    )  # fmt: skip
    assert kept.state == "queued"
    deliver(spool, "archive")
    assert spool.expire(0, LATER + timedelta(days=9000)) == 1, "it is done"


def test_what_is_being_sent_when_it_is_moved_is_not_claimed_twice(spool):
    accept(spool, planned("pacs"))
    [task] = spool.ledger.claim("pacs", 1)
    move(spool)
    assert spool.ledger.claim("archive", 9) == []
    attempt = Attempt(task.delivery_id, NOW, "delivered", 0, destination="pacs")
    spool.ledger.finish([attempt]).result(20)
    [delivery] = trail(spool)
    assert (delivery.state, delivery.reason) == ("delivered", "pacs took it instead")
    assert spool.ledger.claim("archive", 9) == []


def test_moving_to_where_it_is_changes_nothing(spool):
    accept(spool, planned("pacs"))
    assert move(spool, to="pacs") == 0


def test_what_was_delivered_is_sent_again_and_stays_until_it_is(spool):
    accept(spool, planned("pacs"))
    deliver(spool, "pacs")
    assert spool.resend("archive", Selection(), None) == 1
    assert spool.expire(0, LATER + timedelta(days=9000)) == 0, "its file is needed"
    first, again = trail(spool)
    assert (again.destination, again.state, again.note) == ("archive", "queued", "resent")
    assert spool.resend("archive", Selection(), None) == 0, "it is queued already"
    deliver(spool, "archive")
    assert spool.resend("archive", Selection(), None) == 1, "once more is possible"
    assert first.state == "delivered"


@pytest.mark.parametrize(
    ("study", "route", "since", "sent"),
    [
        (None, None, None, ["1.1", "1.2"]),
        ("1.2.2", None, None, ["1.2"]),
        ("9.9", None, None, []),
        (None, "clinical", None, ["1.1", "1.2"]),
        (None, "research", None, []),
        (None, None, NOW, ["1.1", "1.2"]),
        (None, None, LATER, ["1.2"]),
    ],
)
def test_resending_selects_by_study_route_and_arrival(spool, study, route, since, sent):
    accept(spool, planned("pacs"), uid="1.1", study_instance_uid="1.2.1")
    accept(spool, planned("pacs"), uid="1.2", study_instance_uid="1.2.2", received=LATER)
    chosen = Selection(study_instance_uid=study, route=route)
    assert spool.resend("archive", chosen, since) == len(sent)
    assert [task.sop_instance_uid for task in spool.ledger.claim("archive", 9)] == sent


@pytest.mark.parametrize(
    ("to", "selection", "sent"),
    [
        ("archive", Selection(route="research"), "1.9"),
        ("archive", Selection(), "1.2.3.4.5"),
        ("vna", Selection(), "1.9"),
        ("vna", Selection(route="clinical"), "1.2.3.4.5"),
        ("archive", Selection(destination="vna"), "1.9"),
        ("pacs", Selection(destination="pacs"), "1.2.3.4.5"),
    ],
)
def test_of_several_copies_goes_what_was_for_it_or_else_the_first(spool, to, selection, sent):
    accept(spool, planned("pacs"), planned("vna", route="research", chain=True))
    finish_copies(spool, research=processed("vna", uid="1.9"))
    assert (deliver(spool, "pacs"), deliver(spool, "vna")) == (1, 1)
    assert spool.resend(to, selection, None) == 1
    [task] = spool.ledger.claim(to, 9)
    assert task.sop_instance_uid == sent


def test_what_was_never_for_a_destination_is_not_resent_as_that(spool):
    accept(spool, planned("pacs"))
    assert spool.resend("archive", Selection(destination="vna"), None) == 0


def test_what_is_held_or_whose_file_is_gone_is_not_resent(spool):
    accept(spool, planned("pacs", chain=True), uid="1.1")
    finish_copies(spool, clinical=HeldCopy("no", "plugin", "verify_instance"))
    accept(spool, planned("pacs"), uid="1.2")
    deliver(spool, "pacs")
    assert spool.expire(0, LATER + timedelta(days=9000)) == 1
    assert spool.resend("archive", Selection(), None) == 0


@pytest.fixture
def sender_is_a_destination(spool, tmp_path):
    """`ct1` is who sends, `pacs` never wants the same again."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "destinations:\n"
        "  ct1: {ae_title: CT1, host: 10.1.4.7}\n"
        "  pacs: {ae_title: PACS, host: pacs.example, resend: never, loop_guard: 1}\n"
    )
    spool.ledger.follow(load(path).destinations)


@pytest.mark.usefixtures("sender_is_a_destination")
def test_whoever_asks_for_it_again_gets_it_whatever_the_destination_says(spool):
    accept(spool, planned("pacs"), digest=b"a" * 32)
    deliver(spool, "pacs")
    accept(spool, planned("pacs"), digest=b"a" * 32)
    assert deliver(spool, "pacs") == 0
    assert spool.resend("pacs", Selection(), None) == 1, "the same once is enough"
    assert deliver(spool, "pacs") == 1


@pytest.mark.usefixtures("sender_is_a_destination")
def test_nothing_is_sent_again_to_who_sent_it(spool):
    accept(spool, planned("pacs"))
    assert spool.resend("ct1", Selection(), None) == 0
    told = trail(spool)[1]
    assert (told.destination, told.state, told.reason) == (
        "ct1", "suppressed", "it came from there",
    )  # fmt: skip
    assert spool.ledger.claim("ct1", 9) == []


@pytest.mark.usefixtures("sender_is_a_destination")
def test_nothing_is_moved_to_who_sent_it(spool):
    accept(spool, planned("pacs"))
    assert move(spool, to="ct1") == 0
    [delivery] = trail(spool)
    assert (delivery.destination, delivery.state) == ("pacs", "queued")
    assert delivery.note == "not moved to ct1: it came from there"


def test_what_is_moved_or_sent_again_goes_after_an_earlier_version_that_waits_there(spool):
    accept(spool, planned("archive"))
    accept(spool, planned("pacs"))
    assert move(spool) == 1
    assert [deliver(spool, "archive") for _ in range(3)] == [1, 1, 0]
    assert spool.resend("vna", Selection(), None) == 2
    assert [deliver(spool, "vna") for _ in range(3)] == [1, 1, 0]
