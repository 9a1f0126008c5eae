"""Which study a lane goes on with."""

import pytest

from router.delivery.turns import BATCH, Turns
from router.spool import WaitingStudy
from router.spool.studies import MOST_COUNTED


class Queue:
    """Studies by arrival, as a ledger offers them; `send` lets a lane send a batch."""

    def __init__(self, *sizes: int, overtaking: bool = True) -> None:
        self.left = dict(enumerate(sizes, 1))
        self.turns = Turns(overtaking)

    def arrives(self, size: int) -> int:
        study = max(self.left) + 1
        self.left[study] = size
        return study

    def send(self, lane: int = 0) -> int | None:
        offered = [
            WaitingStudy(study, min(left, MOST_COUNTED))
            for study, left in self.left.items()
            if left
        ]
        study = self.turns.choose(lane, "pacs", offered)
        if study is not None:
            self.left[study] -= min(self.left[study], BATCH)
        return study


def test_studies_of_one_size_have_their_turn_in_order_of_arrival():
    queue = Queue(20, 20, 20)
    assert [queue.send() for _ in range(7)] == [1, 1, 2, 2, 3, 3, None]


def test_a_small_study_overtakes_a_large_one_that_is_being_sent():
    queue = Queue(5000)
    for _ in range(3):
        assert queue.send() == 1
    small = queue.arrives(10)
    assert [queue.send(), queue.send()] == [small, 1]


@pytest.mark.parametrize("size", [1, 2, 10, 16])
def test_the_large_one_gets_half_of_the_way_at_least_whatever_comes(size):
    queue = Queue(5000)
    sent = {True: 0, False: 0}
    for _ in range(200):
        while len(queue.left) < 10:
            queue.arrives(size)
        before = sum(queue.left.values())
        large = queue.send() == 1
        sent[large] += before - sum(queue.left.values())
        queue.left = {study: left for study, left in queue.left.items() if left}
    assert sent[True] >= sent[False] - 4 * BATCH
    assert sent[False] >= sent[True] - 5 * BATCH, "and those have the other half"


def test_a_study_stays_with_the_lane_that_began_it():
    queue = Queue(100, 100)
    assert [queue.send(0), queue.send(1), queue.send(1), queue.send(0)] == [1, 2, 2, 1]
    queue.left[1] = 0
    assert queue.send(0) is None, "the other is lane 1's"
    queue.turns.forget(1)
    assert queue.send(0) == 2


def test_a_study_that_is_to_have_an_association_is_not_interrupted():
    queue = Queue(40, 1, overtaking=False)
    assert [queue.send() for _ in range(4)] == [1, 1, 1, 2]


def test_studies_of_different_destinations_are_different():
    turns = Turns(True)
    offered = [WaitingStudy(1, 5)]
    assert turns.choose(0, "pacs", offered) == 1
    assert turns.choose(1, "pacs", offered) is None
    assert turns.choose(1, "archive", offered) == 1
