"""When and how fast a destination is sent to."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from router.delivery.bandwidth import Bandwidth

PACS = "  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, {more}}}\n"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def days_from_now(*ahead: int) -> str:
    """A schedule of these days, however long the test takes."""
    today = datetime.now(UTC)
    return f"[{', '.join(DAYS[(today + timedelta(days=each)).weekday()] for each in ahead)}]"


def test_outside_its_schedule_a_destination_waits_and_is_not_failing(scp, wait_until, site):
    later, now = scp(), scp()
    text = PACS.format(port=later.port, more=f"schedule: {days_from_now(3)}")
    text += PACS.format(port=now.port, more=f"schedule: {days_from_now(0, 1)}").replace("pacs", "b")
    site.start(text)
    uid = site.queue("pacs", "b")
    wait_until(lambda: site.state(uid, "b") == "delivered")
    assert site.attempts(uid) == []
    assert later.opened == []
    assert site.deliveries.outages() == {}


def test_the_bandwidth_is_kept_over_all_associations(scp, wait_until, site):
    """Of 30 objects of 1 MB at 1 kB/s one goes out, and leaves a debt of a quarter of an hour."""
    third = threading.Event()

    def answer(event):
        if len(peer.uids) > 2:
            third.set()
        return 0

    peer = scp(answer)
    uids = [site.queue(study=f"1.2.{number}", padding=1_000_000) for number in range(30)]
    site.start(PACS.format(port=peer.port, more="bandwidth: 1 kB/s, associations: 4"))
    wait_until(lambda: len(peer.uids) >= 1)
    assert not third.wait(0.5)
    site.deliveries.stop(10)
    assert sum(site.state(uid) == "delivered" for uid in uids) == len(peer.uids)


@pytest.mark.parametrize(
    ("spent", "waits"),
    [([], 0), ([1000], 0), ([1000, 1], 0.001), ([5000], 4), ([1000, 1000, 2000], 3)],
)
def test_what_is_owed_has_to_be_earned_before_the_next(spent, waits):
    bandwidth = Bandwidth(1000)
    assert bandwidth.waits(100.0) == 0
    for size in spent:
        bandwidth.spend(size)
    assert bandwidth.waits(100.0) == pytest.approx(waits)
    assert bandwidth.waits(100.0 + waits) == pytest.approx(0)


def test_time_without_deliveries_is_not_saved_for_more_than_a_second():
    bandwidth = Bandwidth(1000)
    assert bandwidth.waits(100.0) == 0
    assert bandwidth.waits(10_000.0) == 0
    bandwidth.spend(3000)
    assert bandwidth.waits(10_000.0) == 2


def test_without_a_limit_nothing_waits():
    bandwidth = Bandwidth(float("inf"))
    bandwidth.spend(10**15)
    assert bandwidth.waits(0.0) == 0
