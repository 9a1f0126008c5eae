"""When a destination that fails is tried again."""

from datetime import UTC, datetime

import pytest

from router.delivery.breaker import Breaker

NOW = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)


def fail(breaker: Breaker, at: float = 0.0, reason: str = "refused") -> float:
    return breaker.failed(reason, at, NOW)


def test_a_destination_that_works_is_tried_at_once():
    assert Breaker(5, 600).waits(0) == 0


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(1, 3.75, 5), (2, 7.5, 10), (3, 15, 20), (7, 240, 320), (8, 450, 600), (100, 450, 600)],
)
def test_the_silence_doubles_up_to_the_longest_and_is_spread(failures, least, most):
    breaker = Breaker(5, 600)
    now = 0.0
    for _ in range(failures):
        now += breaker.waits(now) + 0.001
        silence = fail(breaker, now)
    assert least <= silence <= most
    assert breaker.waits(now) == pytest.approx(silence)
    assert breaker.waits(now + silence) == 0


def test_associations_that_fail_together_are_one_failure():
    breaker = Breaker(5, 600)
    first = fail(breaker, 0.0)
    for moment in range(1, 4):
        assert fail(breaker, float(moment), "also refused") == pytest.approx(first - moment)
    assert breaker.outage is not None
    assert (breaker.outage.failures, breaker.outage.reason) == (1, "also refused")


def test_success_ends_the_outage_and_what_follows_begins_anew():
    breaker = Breaker(5, 600)
    for now in (0.0, 10.0, 30.0):
        fail(breaker, now)
    over = breaker.worked()
    assert over is not None
    assert (over.since, over.failures) == (NOW, 3)
    assert breaker.outage is None
    assert breaker.waits(30.0) == 0
    assert breaker.worked() is None
    assert fail(breaker, 31.0) <= 5


def deliver(breaker: Breaker, times: int, at: float = 0.0) -> int:
    """The window after so many objects went well."""
    for _ in range(times):
        breaker.worked(at)
    return breaker.window


def test_the_window_grows_by_one_after_a_row_of_successes_as_long_as_it_is_wide():
    breaker = Breaker(5, 600, limit=4)
    assert [deliver(breaker, 1) for _ in range(10)] == [2, 2, 3, 3, 3, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("in_use", "windows", "dead"),
    [
        ([4], [3], False),
        ([4, 3], [3, 2], False),
        ([4, 3, 2], [3, 2, 1], True),
        ([2, 1], [1, 1], True),
        ([1], [1], True),
    ],
)
def test_a_failure_narrows_it_at_once_and_a_row_of_them_kills(in_use, windows, dead):
    breaker = Breaker(5, 600, limit=4)
    deliver(breaker, 6)
    narrowed = []
    for number in in_use:
        silence = breaker.failed("aborted", 0.0, NOW, number)
        narrowed.append(breaker.window)
    assert narrowed == windows
    assert bool(silence) is dead is (breaker.outage is not None)


def test_successes_in_between_keep_it_alive():
    breaker = Breaker(5, 600, limit=4)
    deliver(breaker, 6)
    for _ in range(10):
        assert breaker.failed("aborted", 0.0, NOW, 2) == 0
        assert deliver(breaker, 1) == 1


def test_a_peer_that_takes_fewer_is_asked_for_one_more_now_and_then():
    breaker = Breaker(5, 600, limit=3)
    deliver(breaker, 3)
    now = 0.0
    for pause in (5, 10, 20, 40):
        now += 200
        breaker.failed("local limit exceeded", now, NOW, 3)
        assert deliver(breaker, 50, at=now + 0.7 * pause) == 2, "not after every few objects"
        assert deliver(breaker, 2, at=now + pause) == 3


def test_after_an_outage_it_begins_with_one():
    breaker = Breaker(5, 600, limit=4)
    deliver(breaker, 6)
    fail(breaker)
    assert breaker.window == 1
    assert deliver(breaker, 1) == 2


def test_somebody_may_say_that_it_is_worth_trying_now():
    breaker = Breaker(5, 600)
    fail(breaker)
    breaker.try_now()
    assert breaker.waits(0) == 0
    assert breaker.outage is not None
    assert fail(breaker, 1.0) > 5
