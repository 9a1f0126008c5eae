"""Accepting, claiming, finishing: the way of an instance through the ledger."""

from datetime import timedelta
from types import NoneType

import pytest

from router.dataset import Bulk, FileRange
from router.spool import Attempt, HeldCopy, Selection, Skipped, Spool, SpoolError, Stored
from tests.spool.making import (
    ASSOCIATION,
    CT_IMAGE,
    EXPLICIT,
    IMPLICIT,
    LATER,
    META,
    NOW,
    accept,
    arrival,
    deliver,
    delivered,
    deliveries,
    finish_copies,
    planned,
    processed,
    write_file,
)


def test_a_delivery_carries_everything_the_sender_needs(spool: Spool) -> None:
    path = write_file(spool, b"abcdefghij")
    stored = Stored(path, len(META) + 2, 6, (Bulk(1, 2), Bulk(4, 1)), "unknown VR")
    instance_id = accept(spool, planned("pacs"), stored=stored, move_originator=("WS1", 7))
    (task,) = spool.ledger.claim("pacs", 10)
    assert task.instance_id == instance_id
    assert task.segments == (FileRange(path, len(META) + 2, 6),)
    assert (task.size, task.bulk, task.problem) == (6, (Bulk(1, 2), Bulk(4, 1)), "unknown VR")
    assert (task.destination, task.route, task.attempts) == ("pacs", "clinical", 0)
    assert (task.association, task.received) == (ASSOCIATION, NOW)
    assert (task.transfer_syntax, task.sop_class_uid) == (EXPLICIT, CT_IMAGE)
    assert task.sop_instance_uid == "1.2.3.4.5"
    assert (task.study_instance_uid, task.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert task.move_originator == ("WS1", 7)


def test_a_copy_task_carries_everything_the_worker_needs(spool: Spool) -> None:
    given = arrival(spool, planned("pacs", chain=True), generation=9)
    spool.ledger.accept(given).result(20)
    (task,) = spool.ledger.claim_copies(10)
    assert task.stored == given.stored
    assert (task.route, task.destinations, task.attempts) == ("clinical", ("pacs",), 0)
    assert (task.association, task.received, task.generation) == (ASSOCIATION, NOW, 9)
    assert (task.sop_class_uid, task.sop_instance_uid) == (CT_IMAGE, "1.2.3.4.5")
    assert task.move_originator is None


def test_a_changed_copy_is_delivered_as_changed(spool: Spool) -> None:
    accept(spool, planned("vna", chain=True))
    (copy,) = spool.ledger.claim_copies(1)
    segments = (b"new header", FileRange(copy.stored.path, 30, 2))
    outcome = processed(
        "vna",
        uid="2.25.5",
        segments=segments,
        transfer_syntax=IMPLICIT,
        study_instance_uid="2.25.3",
        series_instance_uid="2.25.4",
    )
    spool.ledger.finish_copy(copy.copy_id, outcome).result(20)
    (task,) = spool.ledger.claim("vna", 1)
    assert (task.segments, task.size, task.bulk) == (segments, 12, None)
    assert (task.transfer_syntax, task.sop_instance_uid) == (IMPLICIT, "2.25.5")
    assert (task.study_instance_uid, task.series_instance_uid) == ("2.25.3", "2.25.4")


def test_an_unchanged_processed_copy_is_delivered_as_it_came(spool: Spool) -> None:
    accept(spool, planned("vna", chain=True))
    finish_copies(spool, clinical=processed("vna"))
    (task,) = spool.ledger.claim("vna", 1)
    assert task.segments == (FileRange(task.segments[0].path, len(META), 4),)  # type: ignore[union-attr]
    assert task.bulk == ()


def test_deliveries_are_claimed_once_and_in_arrival_order(spool: Spool) -> None:
    ids = [accept(spool, planned("pacs"), uid=f"1.{number}") for number in range(5)]
    first = spool.ledger.claim("pacs", 2)
    rest = spool.ledger.claim("pacs", 9)
    assert [task.instance_id for task in [*first, *rest]] == ids
    assert spool.ledger.claim("pacs", 9) == []


def test_a_claim_given_back_is_claimed_again_without_an_attempt(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 9)
    spool.ledger.release_claims([task.delivery_id])
    assert spool.ledger.claim("pacs", 9) == [task]


def test_copies_given_back_are_claimed_again(spool: Spool) -> None:
    accept(spool, planned("pacs", chain=True))
    (task,) = spool.ledger.claim_copies(9)
    assert spool.ledger.claim_copies(9) == []
    spool.ledger.release_copy_claims([task.copy_id])
    assert spool.ledger.claim_copies(9) == [task]


def test_a_retry_waits_until_it_is_due_and_keeps_its_place(spool: Spool) -> None:
    first = accept(spool, planned("pacs"), uid="1.1")
    (task,) = spool.ledger.claim("pacs", 9, NOW)
    second = accept(spool, planned("pacs"), uid="1.2")
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", 0xA700, "", LATER)]).result(20)
    assert spool.ledger.next_due("destination:pacs") == LATER
    (other,) = spool.ledger.claim("pacs", 9, NOW)
    assert other.instance_id == second
    spool.ledger.release_claims([other.delivery_id])
    both = spool.ledger.claim("pacs", 9, LATER)
    assert [(task.instance_id, task.attempts) for task in both] == [(first, 1), (second, 0)]


def test_a_retry_without_a_time_is_due_at_once(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 9)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", None, "reset")]).result(20)
    assert [task.attempts for task in spool.ledger.claim("pacs", 9)] == [1]


def test_every_attempt_is_kept(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 9)
    attempts = [
        Attempt(task.delivery_id, NOW, "retry", None, "connection refused"),
        Attempt(task.delivery_id, LATER, "held", 0xC000, "cannot understand"),
        Attempt(task.delivery_id, LATER, "delivered", 0xB000, ""),
    ]
    for attempt in attempts:
        spool.ledger.finish([attempt]).result(20)
    (instance,) = spool.ledger.where("1.2.3.4.5").instances
    assert instance.deliveries[0].attempts == tuple(attempts)
    assert instance.deliveries[0].state == "delivered"


def test_a_held_delivery_is_not_claimed(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 9)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "held", 0xC000, "bad")]).result(20)
    assert spool.ledger.claim("pacs", 9) == []
    (row,) = spool.ledger.list(Selection())
    assert (row.state, row.reason) == ("held", "status 0xC000 bad")


@pytest.mark.parametrize(
    ("outcome", "state"), [("delivered", "delivered"), ("retry", "held"), ("discarded", "held")]
)
def test_only_a_success_overrules_what_a_person_did_meanwhile(
    spool: Spool, outcome: str, state: str
) -> None:
    accept(spool, planned("pacs"))
    (task,) = spool.ledger.claim("pacs", 9)
    spool.ledger.hold(Selection(), "wait for the physicist").result(20)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, outcome)]).result(20)  # type: ignore[arg-type]
    assert deliveries(spool) == [("pacs", "clinical", state)]


def test_a_copy_held_by_a_person_while_its_chain_ran_stays_held(spool: Spool) -> None:
    accept(spool, planned("pacs", chain=True))
    (task,) = spool.ledger.claim_copies(9)
    spool.ledger.hold(Selection(), "wait").result(20)
    spool.ledger.finish_copy(task.copy_id, processed("pacs")).result(20)
    assert deliveries(spool) == []
    assert [row.reason for row in spool.ledger.list(Selection())] == ["wait"]


def test_a_copy_held_for_a_while_is_claimed_again(spool: Spool) -> None:
    accept(spool, planned("pacs", chain=True))
    finish_copies(spool, clinical=HeldCopy("no answer", "lookup", "rewrite_instance", 60.0))
    assert spool.ledger.claim_copies(9) == []
    due = spool.ledger.next_due("copies")
    assert due is not None
    (task,) = spool.ledger.claim_copies(9, due)
    assert spool.ledger.next_due("copies") is None
    assert task.attempts == 1
    assert spool.ledger.claim_copies(9, due + timedelta(days=1)) == []
    spool.ledger.finish_copy(task.copy_id, processed("pacs")).result(20)
    assert deliveries(spool) == [("pacs", "clinical", "queued")]


def test_a_copy_held_for_good_is_not_claimed_again(spool: Spool) -> None:
    accept(spool, planned("pacs", chain=True))
    finish_copies(spool, clinical=HeldCopy("no", "gate", "verify_instance"))
    assert spool.ledger.claim_copies(9, LATER + timedelta(days=36500)) == []


def test_copies_whose_route_is_gone_are_held(spool: Spool) -> None:
    accept(spool, planned("a", route="old", chain=True), planned("b", route="new", chain=True))
    assert spool.ledger.hold_copies_of_unknown_routes({"new"}).result(20) == 1
    assert [task.route for task in spool.ledger.claim_copies(9)] == ["new"]
    reasons = [row.reason for row in spool.ledger.list(Selection(route="old"))]
    assert reasons == ["route old is gone from the config"]


def test_an_unwanted_instance_waits_until_it_is_released_and_routed_again(spool: Spool) -> None:
    given = arrival(spool, held_reason="no route wants it")
    instance_id = spool.ledger.accept(given).result(20)
    assert spool.ledger.claim_released(9) == []
    assert spool.ledger.release(Selection(reason="ROUTE wants")).result(20) == 1
    (released,) = spool.ledger.claim_released(9)
    assert released.instance_id == instance_id
    assert released.arrival.stored == given.stored
    assert released.arrival.patient_id == given.patient_id
    spool.ledger.plan(instance_id, 2, [planned("pacs"), planned("pacs", route="b")]).result(20)
    assert spool.ledger.claim_released(9) == []
    assert deliveries(spool) == [("pacs", "clinical", "queued"), ("pacs", "b", "suppressed")]


def test_a_released_instance_may_be_held_again(spool: Spool) -> None:
    instance_id = accept(spool, held_reason="no route wants it")
    spool.ledger.release(Selection()).result(20)
    spool.ledger.plan(instance_id, 2, [], "still no route wants it").result(20)
    assert spool.ledger.claim_released(9) == []
    assert [row.reason for row in spool.ledger.list(Selection())] == ["still no route wants it"]


def test_a_skipped_copy_keeps_its_reason(spool: Spool) -> None:
    accept(spool, planned("pacs", chain=True))
    finish_copies(spool, clinical=Skipped("localizer", "skip"))
    (copy,) = spool.ledger.where("1.2.3.4.5").instances[0].copies
    assert (copy.state, copy.reason, copy.plugin) == ("skipped", "localizer", "skip")


def test_a_paused_destination_hands_out_nothing(spool: Spool) -> None:
    accept(spool, planned("pacs", "vna"))
    spool.ledger.pause("pacs").result(20)
    assert spool.ledger.paused() == {"pacs"}
    assert spool.ledger.claim("pacs", 9) == []
    assert deliver(spool, "vna") == 1
    spool.ledger.resume("pacs").result(20)
    assert deliver(spool, "pacs") == 1


def test_subscribers_learn_where_there_is_something_to_do(spool: Spool) -> None:
    told: list[set[str]] = []
    spool.ledger.subscribe(lambda topics: told.append(topics))
    accept(spool, planned("pacs", "vna"), planned("deid", route="b", chain=True))
    finish_copies(spool, b=processed("deid"))
    deliver(spool, "pacs")
    spool.ledger.release(Selection()).result(20)
    accept(spool, held_reason="unmatched", uid="1.9")
    spool.ledger.release(Selection()).result(20)
    spool.close()
    assert told == [
        {"destination:pacs", "destination:vna", "copies"},
        {"destination:deid"},
        {"instances"},
    ]


def test_a_failing_subscriber_does_not_stop_the_ledger(spool: Spool) -> None:
    def fail(_: set[str]) -> None:
        raise RuntimeError("subscriber")

    spool.ledger.subscribe(fail)
    accept(spool, planned("pacs"))
    assert deliver(spool, "pacs") == 1


def test_one_bad_write_fails_alone(spool: Spool) -> None:
    good, other = (arrival(spool, planned("pacs"), uid=uid) for uid in ("1.2", "1.3"))
    bad = arrival(spool, planned("pacs"), uid=["not", "text"])
    futures = [spool.ledger.accept(one) for one in (good, bad, other)]
    assert [type(future.exception(20)) for future in futures] == [NoneType, SpoolError, NoneType]
    assert len(spool.ledger.claim("pacs", 9)) == 2


def test_a_closed_ledger_says_so(spool: Spool) -> None:
    given = arrival(spool, planned("pacs"))
    ledger = spool.ledger
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        ledger.accept(given).result(20)


def test_finishing_what_is_not_known_is_ignored(spool: Spool) -> None:
    spool.ledger.finish([delivered(99)]).result(20)
    spool.ledger.finish_copy(99, processed("pacs")).result(20)
