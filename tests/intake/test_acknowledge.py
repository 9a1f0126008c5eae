"""A listener may answer later than on receipt: after the chains, after the archives."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from router.spool import Attempt, HeldCopy
from tests.spool.making import finish_copies, processed

CHAINS = """
  - {name: plain, to: [vna]}
  - {name: changed, chain: [set: {PatientName: X}], to: [pacs]}"""


@pytest.fixture
def sending():
    """`sending(station)` is the future of a C-STORE's response."""
    with ThreadPoolExecutor() as threads:
        yield lambda started: threads.submit(started.send)


def deliver(started, destination: str, status: int, comment: str = "", outcome="delivered"):
    [task] = started.ledger.claim(destination, 1)
    now = datetime.now(UTC)
    attempt = Attempt(task.delivery_id, now, outcome, status, comment, retry_at=now)
    started.ledger.finish([attempt]).result(20)


def states(started) -> list[str]:
    [instance] = started.instances()
    return [one.state for one in (*instance.copies, *instance.deliveries)]


def test_processed_is_answered_when_every_chain_has_run(station, sending):
    started = station(listener="acknowledge: processed", routes=CHAINS)
    response = sending(started)
    assert states(started) == ["processed", "received"]
    assert not response.done()
    finish_copies(started.spool, changed=processed("pacs"))
    assert response.result(20).status == 0
    assert states(started) == ["processed", "processed", "queued", "queued"]


@pytest.mark.parametrize(("status", "answered"), [(0xC123, 0xC123), (None, 0x0110)])
def test_a_failure_discards_every_copy_and_is_answered(station, sending, status, answered):
    started = station(listener="acknowledge: processed", routes=CHAINS)
    response = sending(started)
    started.instances()
    finish_copies(started.spool, changed=HeldCopy("not this", "strict", "verify", status=status))
    found = response.result(20)
    assert (found.status, found.error_comment) == (answered, "strict: not this")
    assert states(started) == ["discarded", "discarded"]


def test_without_chains_processed_is_answered_at_once(station):
    started = station(listener="acknowledge: processed")
    assert started.send().status == 0
    assert states(started) == ["processed", "queued", "queued"]


@pytest.mark.parametrize(
    ("status", "comment"), [(0, ""), (0xB000, "coerced"), (0xA900, "no such patient")]
)
def test_delivered_is_answered_with_what_the_archive_said(station, sending, status, comment):
    started = station(listener="acknowledge: delivered")
    response = sending(started)
    assert states(started) == ["processed", "queued", "queued"]
    deliver(started, "pacs", status, comment, "refused" if status == 0xA900 else "delivered")
    found = response.result(20)
    assert (found.status, found.error_comment) == (status, comment)
    assert states(started)[2] == "queued"


def test_the_worst_status_wins(station, sending):
    more = "  old: {ae_title: OLD, host: old.example}"
    routes = "  - {name: everything, to: [pacs, old]}"
    started = station(listener="acknowledge: delivered", more=more, routes=routes)
    response = sending(started)
    started.instances()
    deliver(started, "pacs", 0xA900, "no such patient", "refused")
    assert not response.done()
    deliver(started, "old", 0xB000, "coerced")
    assert response.result(20).status == 0xA900


def test_a_destination_may_be_required_or_not(station, sending):
    more = "  file: {type: folder, directory: ./file, required: true}"
    routes = "  - {name: everything, to: [vna, file]}"
    started = station(listener="acknowledge: delivered", more=more, routes=routes)
    response = sending(started)
    started.instances()
    deliver(started, "file", 0)
    assert response.result(20).status == 0


def test_what_takes_too_long_is_answered_with_a_failure_and_stays_queued(station):
    started = station(listener="acknowledge: delivered, acknowledge_timeout: 50 ms")
    response = started.send()
    told = "not delivered in time; it stays queued"
    assert (response.status, response.error_comment) == (0xA700, told)
    assert states(started) == ["processed", "queued", "queued"]


def test_who_sends_again_hears_of_the_delivery_that_waits(station, sending):
    started = station(listener="acknowledge: delivered")
    first, second = sending(started), sending(started)
    started.instances(count=2)
    deliver(started, "pacs", 0xB000, "coerced")
    assert [one.result(20).status for one in (first, second)] == [0xB000, 0xB000]


def test_what_was_pending_goes_on_after_a_restart(station, sending):
    settings = {"listener": "acknowledge: processed, acknowledge_timeout: 50 ms", "routes": CHAINS}
    started = station(**settings)
    assert started.send().status == 0xA700
    started.instances()
    started.close()
    again = station(**settings)
    finish_copies(again.spool, changed=processed("pacs"))
    assert states(again) == ["processed", "processed", "queued", "queued"]
