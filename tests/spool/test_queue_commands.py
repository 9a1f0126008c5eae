"""What a person does to the queue, and what is selected."""

import pytest

from router.spool import Attempt, HeldCopy, Selection, Spool, commands
from tests.spool.making import (
    LATER,
    NOW,
    accept,
    deliver,
    deliveries,
    finish_copies,
    planned,
    processed,
)


def fill(spool: Spool) -> None:
    """Two studies for two destinations, of which pacs refused one instance; a held copy; an
    unwanted instance."""
    accept(spool, planned("pacs", "vna"), uid="1.1", study_instance_uid="1")
    accept(spool, planned("pacs", "vna"), uid="2.1", study_instance_uid="2")
    accept(spool, planned("vna", "deid", route="research", chain=True), uid="3.1")
    finish_copies(spool, research=HeldCopy("no Consent", "consent", "filter_instance"))
    accept(spool, uid="4.1", study_instance_uid="1", held_reason="no route")
    (task, _) = spool.ledger.claim("pacs", 9)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "held", 0xC000, "no")]).result(20)


def selected(spool: Spool, selection: Selection) -> list[tuple[str, str, str]]:
    return [
        (row.kind, row.sop_instance_uid, ",".join(row.destinations))
        for row in spool.ledger.list(selection)
    ]


INSTANCE = ("instance", "4.1", "")
COPY = ("copy", "3.1", "vna,deid")
REFUSED = ("delivery", "1.1", "pacs")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(destination="deid"), [COPY]),
        (Selection(destination="pacs"), [REFUSED, ("delivery", "2.1", "pacs")]),
        (Selection(study_instance_uid="1"), [INSTANCE, REFUSED, ("delivery", "1.1", "vna")]),
        (Selection(route="research"), [COPY]),
        (Selection(reason="consent"), [COPY]),
        (Selection(reason="0xc000"), [REFUSED]),
        (Selection(reason="NO"), [INSTANCE, COPY, REFUSED]),
        (Selection(destination="vna", reason="no"), [COPY]),
        (Selection(destination="nowhere"), []),
    ],
)
def test_everything_that_fits_is_selected(
    spool: Spool, selection: Selection, expected: list[tuple[str, str, str]]
) -> None:
    fill(spool)
    assert selected(spool, selection) == expected
    assert spool.ledger.count(selection) == len(expected)


def test_a_list_has_a_limit_and_begins_with_the_oldest(spool: Spool) -> None:
    fill(spool)
    rows = spool.ledger.list(Selection(), 3)
    assert [row.kind for row in rows] == ["instance", "copy", "delivery"]
    assert rows[2].sop_instance_uid == "1.1"


def test_a_listed_delivery_says_when_it_is_tried_again(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 1)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", None, "no", LATER)]).result(20)
    (row,) = spool.ledger.list(Selection())
    assert (row.state, row.due, row.attempts, row.reason) == ("queued", LATER, 1, "no")


def test_retry_makes_what_waits_due_now(spool: Spool) -> None:
    accept(spool, planned("pacs"), planned("vna", route="b", chain=True))
    finish_copies(spool, b=HeldCopy("later", "p", "rewrite_instance", 3600.0))
    (task,) = spool.ledger.claim("pacs", 1, NOW)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", None, "no", LATER)]).result(20)
    assert spool.ledger.retry(Selection()).result(20) == 2
    assert [task.attempts for task in spool.ledger.claim("pacs", 1, NOW)] == [1]
    assert len(spool.ledger.claim_copies(1, NOW)) == 1


def test_what_is_held_waits_for_a_release_with_its_attempts_forgotten(spool: Spool) -> None:
    fill(spool)
    assert spool.ledger.hold(Selection(destination="pacs"), "PACS is moved").result(20) == 1
    assert spool.ledger.claim("pacs", 9) == []
    assert spool.ledger.release(Selection(destination="pacs")).result(20) == 2
    spool.ledger.release_claims(range(20))
    assert [task.attempts for task in spool.ledger.claim("pacs", 9)] == [0, 0]


def test_first_is_sent_before_all_others(spool: Spool) -> None:
    for number in range(3):
        accept(spool, planned("pacs"), uid=f"1.{number}", study_instance_uid=f"{number}")
    assert spool.ledger.first(Selection(study_instance_uid="2")).result(20) == 1
    order = [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)]
    assert order == ["1.2", "1.0", "1.1"]


def test_discard_ends_deliveries_copies_and_instances_with_the_reason(spool: Spool) -> None:
    fill(spool)
    assert spool.ledger.discard(Selection(), "test data").result(20) == 6
    assert spool.ledger.count(Selection()) == 0
    states = {}
    for uid in ("1.1", "3.1", "4.1"):
        (instance,) = spool.ledger.where(uid).instances
        for one in (instance, *instance.copies, *instance.deliveries):
            states.setdefault(one.state, set()).add(one.reason)
    assert states == {"planned": {""}, "processed": {""}, "discarded": {"test data"}}


def test_discarding_for_one_destination_spares_copies_for_others_too(spool: Spool) -> None:
    fill(spool)
    assert spool.ledger.discard(Selection(destination="vna"), "gone").result(20) == 2
    assert selected(spool, Selection(route="research")) == [COPY]


def test_a_discarded_delivery_that_was_sent_after_all_is_delivered(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 1)
    spool.ledger.discard(Selection(), "no").result(20)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "delivered", 0)]).result(20)
    assert deliveries(spool) == [("pacs", "clinical", "delivered")]


@pytest.mark.parametrize("command", ["hold", "discard", "move"])
def test_who_has_claimed_a_delivery_learns_that_it_is_not_to_be_sent(
    spool: Spool, command: str
) -> None:
    for number in range(3):
        accept(spool, planned("pacs"), uid=f"1.{number}", study_instance_uid=f"1.{number}")
    tasks = spool.ledger.claim("pacs", 2)
    meant = Selection(study_instance_uid="1.1")
    word = "vna" if command == "move" else "no"
    assert getattr(spool.ledger, command)(meant, word).result(20) == 1
    assert [spool.ledger.is_withdrawn(task.delivery_id) for task in tasks] == [False, True]
    spool.ledger.release_claims([task.delivery_id for task in tasks])
    spool.ledger.release(meant).result(20)
    again = [task for to in ("pacs", "vna") for task in spool.ledger.claim(to, 9)]
    assert {task.sop_instance_uid for task in again} >= {"1.0", "1.2"}
    assert not any(spool.ledger.is_withdrawn(task.delivery_id) for task in again)


def test_commands_take_many_rows_in_several_steps(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STEP", 7)
    for number in range(30):
        accept(spool, planned("pacs"), uid=f"1.{number}")
    assert spool.ledger.hold(Selection(destination="pacs"), "no").result(20) == 30
    assert spool.ledger.release(Selection(destination="pacs")).result(20) == 30
    assert deliver(spool, "pacs") == 30


def test_a_released_copy_is_processed_again(spool: Spool) -> None:
    fill(spool)
    spool.ledger.release(Selection(route="research")).result(20)
    (task,) = spool.ledger.claim_copies(9)
    assert task.attempts == 1  # so that it goes by the chain in effect now
    spool.ledger.finish_copy(task.copy_id, processed("vna", "deid")).result(20)
    assert selected(spool, Selection(destination="deid")) == [("delivery", "3.1", "deid")]
