"""A ledger that fails for a while: nothing is lost, nothing ends, little is sent twice."""

from concurrent.futures import Future

import pytest

from router.delivery import backlog, lane
from router.spool import SpoolFull

PACS = "  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, associations: 1}}\n"


class Failing:
    """The real ledger behind a disk that fails when the test says so."""

    def __init__(self, ledger) -> None:
        self._ledger = ledger
        self.full = False
        self.unreadable = 0

    def __getattr__(self, name: str):
        return getattr(self._ledger, name)

    def finish(self, attempts):
        if not self.full:
            return self._ledger.finish(attempts)
        failed = Future()
        failed.set_exception(SpoolFull("no space left for the ledger"))
        return failed

    def claim_study(self, *arguments):
        if self.unreadable:
            self.unreadable -= 1
            raise OSError("cannot be read")
        return self._ledger.claim_study(*arguments)


@pytest.fixture
def failing(site, monkeypatch) -> Failing:
    monkeypatch.setattr(lane, "_AFTER_TROUBLE", 0.05)
    monkeypatch.setattr(backlog, "_RECORD_AGAIN", 0.05)
    site.ledger = Failing(site.ledger)
    return site.ledger


def test_what_cannot_be_written_down_stops_deliveries_until_it_can(scp, wait_until, site, failing):
    peer = scp()
    uids = [site.queue() for _ in range(60)]
    failing.full = True
    site.start(PACS.format(port=peer.port))
    wait_until(lambda: peer.uids)
    failing.full = False
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert sorted(peer.uids) == sorted(uids), "nothing was sent twice"


def test_while_it_cannot_be_written_down_no_more_is_sent(scp, wait_until, site, failing):
    peer = scp()
    for _ in range(60):
        site.queue()
    failing.full = True
    site.start(PACS.format(port=peer.port))
    wait_until(lambda: peer.uids)
    site.deliveries.stop(10)
    assert len(peer.uids) == 1


def test_a_ledger_that_cannot_be_read_for_a_while_ends_no_lane(scp, wait_until, site, failing):
    peer = scp()
    failing.unreadable = 5
    site.start(PACS.format(port=peer.port))
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    assert failing.unreadable == 0
