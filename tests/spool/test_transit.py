"""Instances that leave for one retrieve from memory: no file, and a trail when they have left."""

import threading

import pytest

from router.spool import LARGEST_PASSING, Asked, Passed, Retrieve, Spool, Stored, Which
from router.spool.transit import MOST_RETRIEVES, MOST_WAITING, RECORDED_AT_ONCE

from .making import LATER, META, NOW, arrival, delivered

OURS = ("ROUTER", 7)
STUDY = Asked(studies=frozenset({"1.2.3"}))


@pytest.fixture
def retrieve(spool: Spool) -> Retrieve:
    return opened(spool)


def opened(spool: Spool) -> Retrieve:
    retrieve = spool.ledger.open_retrieve("move", "workstations", "ws1", False, STUDY)
    retrieve.expect_from(["PACS"], [OURS])
    spool.ledger.let_pass(retrieve, lambda: None)
    return retrieve


def arrive(spool: Spool, file, content: bytes = b"data", uid: str = "1.2.3.4.5"):
    """The instance as it comes into the file, and whether it passes."""
    offset = file.begin(LARGEST_PASSING) + len(META)
    file.write([memoryview(META)])
    file.write([memoryview(content)])
    expected = spool.ledger.expected(Which(uid, "1.2.3.4", "1.2.3", "4711"), ["PACS"], OURS)
    stored = Stored(file.path, offset, len(content))
    came = arrival(spool, *expected.copies, uid=uid, stored=stored)
    return came, expected.transit.offer(file, came)


def test_it_is_taken_out_of_its_file_and_its_delivery_has_its_bytes(spool, retrieve):
    file = spool.incoming()
    came, passes = arrive(spool, file)
    task = retrieve.transit.take().task()
    assert passes
    assert task.segments == (b"data",)
    assert task.destination == retrieve.destination
    assert (task.sop_instance_uid, task.size) == ("1.2.3.4.5", 4)
    assert file.size == 0
    assert retrieve.transit.take() is None


def test_each_delivery_has_an_id_that_is_not_the_ledgers(spool, retrieve):
    file = spool.incoming()
    for number in range(3):
        arrive(spool, file, uid=f"1.{number}")
    ids = {retrieve.transit.take().task().delivery_id for _ in range(3)}
    assert len(ids) == 3
    assert max(ids) < 0


def test_a_large_one_is_in_its_file_and_does_not_pass(spool, retrieve):
    file = spool.incoming()
    content = bytes(LARGEST_PASSING)
    came, passes = arrive(spool, file, content)
    assert not passes
    spool.keep(file, came, durable=False).result(20)
    [task] = spool.ledger.claim(retrieve.destination, 10)
    assert task.size == len(content)


def test_what_finds_no_room_does_not_pass_until_there_is_some(spool, retrieve):
    file = spool.incoming()
    content = bytes(LARGEST_PASSING // 2)
    many = MOST_WAITING // len(content)
    assert all(arrive(spool, file, content, f"1.{number}")[1] for number in range(many))
    assert not arrive(spool, file, content, "2.1")[1]
    file.discard()
    while retrieve.transit.take():
        pass
    assert arrive(spool, file, content, "2.2")[1]


def test_who_waits_for_room_goes_on_when_there_is_some(spool, retrieve, monkeypatch, wait_until):
    monkeypatch.setattr("router.spool.transit.PATIENCE", 20)
    file, passed = spool.incoming(), []
    content = bytes(LARGEST_PASSING // 2)
    for number in range(MOST_WAITING // len(content)):
        arrive(spool, file, content, f"1.{number}")
    waits = threading.Thread(target=lambda: passed.append(arrive(spool, file, content, "2.1")[1]))
    waits.start()
    wait_until(lambda: not retrieve.transit.take() and not waits.is_alive())
    assert passed == [True]


def test_its_trail_is_there_when_the_retrieve_has_ended(spool, retrieve):
    file = spool.incoming()
    arrive(spool, file)
    passing = retrieve.transit.take()
    attempt = delivered(passing.task().delivery_id)
    spool.ledger.passed(retrieve.transit, Passed(passing.arrival, attempt))
    assert spool.ledger.where("1.2.3.4.5").instances == ()
    spool.ledger.close_retrieve(retrieve, 0, 1, 0, "").result(20)
    [instance] = spool.ledger.where("1.2.3.4.5").instances
    assert not instance.kept
    [copy], [delivery] = instance.copies, instance.deliveries
    assert (copy.route, copy.state) == ("workstations", "processed")
    assert (delivery.destination, delivery.state) == (retrieve.destination, "delivered")
    assert [(each.time, each.status) for each in delivery.attempts] == [(NOW, 0)]


def test_many_are_recorded_before_the_retrieve_ends(spool, retrieve, wait_until):
    file = spool.incoming()
    for number in range(RECORDED_AT_ONCE):
        arrive(spool, file, uid=f"1.{number}")
        passing = retrieve.transit.take()
        spool.ledger.passed(retrieve.transit, Passed(passing.arrival, delivered(-1)))
    wait_until(lambda: len(spool.ledger.where("1.2.3").instances) == RECORDED_AT_ONCE)


def test_what_was_not_sent_when_the_retrieve_ends_is_discarded(spool, retrieve):
    file = spool.incoming()
    arrive(spool, file)
    transit = retrieve.transit
    spool.ledger.close_retrieve(retrieve, 0xFE00, 0, 0, "").result(20)
    [instance] = spool.ledger.where("1.2.3.4.5").instances
    [delivery] = instance.deliveries
    assert (delivery.state, delivery.reason) == ("discarded", "the retrieve has ended")
    assert delivery.attempts == ()
    assert transit.take() is None


def test_what_is_under_way_when_the_retrieve_ends_is_recorded_when_it_has_left(
    spool, retrieve, wait_until
):
    arrive(spool, spool.incoming())
    passing = retrieve.transit.take()
    spool.ledger.close_retrieve(retrieve, 0xFE00, 0, 0, "").result(20)
    spool.ledger.passed(retrieve.transit, Passed(passing.arrival, delivered(-1)))
    wait_until(lambda: spool.ledger.where("1.2.3.4.5").instances)


def test_nothing_of_it_is_left_when_its_history_is_forgotten(spool, retrieve):
    arrive(spool, spool.incoming())
    spool.ledger.close_retrieve(retrieve, 0xFE00, 0, 0, "").result(20)
    assert spool.ledger.summary().instances == 0
    assert spool.ledger.forget(LATER).result(20) == 1
    assert spool.ledger.where("1.2.3.4.5").instances == ()


def test_only_what_says_that_it_comes_because_of_it_may_pass(spool, retrieve):
    assert spool.ledger.passes(OURS)
    assert not spool.ledger.passes(None)
    assert not spool.ledger.passes(("ROUTER", 8))
    assert spool.ledger.passes(None, retrieve)


def test_what_also_takes_the_routes_does_not_pass(spool, retrieve):
    expected = spool.ledger.expected(Which("1.1", "1.2.3.4", "1.2.3", "4711"), ["PACS"], None)
    assert expected.retrieves == (retrieve,)
    assert expected.transit is None


def test_only_so_many_retrieves_have_memory_at_once(spool):
    retrieves = [opened(spool) for _ in range(MOST_RETRIEVES + 1)]
    assert [each.transit is None for each in retrieves] == [False] * MOST_RETRIEVES + [True]
    spool.ledger.close_retrieve(retrieves[0], 0, 0, 0, "").result(20)
    assert opened(spool).transit is not None
