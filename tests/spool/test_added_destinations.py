"""Destinations that a chain adds are checked as intake checks those that a route names."""

import pytest

from router.config import load
from tests.spool.making import accept, delivered, finish_copies, planned, processed

CONFIG = """
destinations:
  pacs: {{ae_title: PACS, host: h}}
  ct1: {{ae_title: CT1, host: 10.1.4.7}}
  old: {{ae_title: OLD, host: h, spool_limit: 6 B, when_full: {when_full}}}
"""


@pytest.fixture
def added(spool, tmp_path):
    """`added("refuse", 3)` are the states of deliveries a chain added, one instance each."""

    def run(when_full: str, count: int, *destinations: str) -> list[tuple[str, str, str]]:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG.format(when_full=when_full))
        spool.ledger.follow(load(path).destinations)
        for number in range(count):
            accept(spool, planned("pacs", chain=True), uid=f"1.{number}", content=b"abc")
        finish_copies(spool, clinical=processed("pacs", *destinations))
        return [
            (one.destination, one.state, one.reason)
            for number in range(count)
            for instance in spool.ledger.where(f"1.{number}").instances
            for one in instance.deliveries
            if one.destination != "pacs"
        ]

    return run


def test_what_is_full_goes_without_and_that_is_said(spool, added, caplog):
    why = "more waits for it than its spool_limit"
    found = added("discard", 4, "old")
    assert found == [("old", "queued", "")] * 2 + [("old", "discarded", why)] * 2
    assert caplog.text.count("destination.full destination=old") == 1
    assert len(spool.ledger.claim("pacs", 9)) == 4
    tasks = spool.ledger.claim("old", 9)
    spool.ledger.finish([delivered(task.delivery_id) for task in tasks]).result(20)
    assert spool.ledger.waiting_bytes("old") == 0


def test_nobody_is_left_to_be_refused(added):
    assert added("refuse", 3, "old") == [("old", "queued", "")] * 3


def test_who_sent_it_gets_nothing_back(spool, added):
    assert added("refuse", 1, "ct1") == [("ct1", "suppressed", "it came from there")]
    assert spool.ledger.claim("ct1", 9) == []
