"""How much waits for a destination is known without asking the database, whatever changes it."""

import pytest

from router.spool import HeldCopy, Selection, Skipped, Spool
from tests.spool.making import accept, arrival, deliver, finish_copies, planned, processed


def counted(spool: Spool) -> dict[str, int]:
    """By destination; the same after a restart, which counts the rows."""
    found = {name: spool.ledger.waiting_bytes(name) for name in ("pacs", "vna")}
    spool.close()
    spool.open()
    assert found == {name: spool.ledger.waiting_bytes(name) for name in ("pacs", "vna")}
    return found


def test_deliveries_count_until_they_are_done(spool):
    accept(spool, planned("pacs", "vna"))
    assert counted(spool) == {"pacs": 4, "vna": 4}
    spool.ledger.hold(Selection(destination="vna"), "wait").result(20)
    deliver(spool, "pacs")
    assert counted(spool) == {"pacs": 0, "vna": 4}
    spool.ledger.release(Selection()).result(20)
    assert counted(spool) == {"pacs": 0, "vna": 4}
    deliver(spool, "vna")
    assert counted(spool) == {"pacs": 0, "vna": 0}


def test_what_is_moved_counts_where_it_goes(spool):
    accept(spool, planned("pacs"))
    spool.ledger.move(Selection(), "vna").result(20)
    assert counted(spool) == {"pacs": 0, "vna": 4}
    spool.ledger.discard(Selection(), "enough").result(20)
    assert counted(spool) == {"pacs": 0, "vna": 0}


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (HeldCopy("no", "plugin", "hook"), {"pacs": 4, "vna": 0}),
        (Skipped("no", "plugin"), {"pacs": 0, "vna": 0}),
        (processed("pacs", "vna", uid="1.2"), {"pacs": 7, "vna": 7}),
    ],
)
def test_copies_count_where_they_may_go(spool, outcome, left):
    accept(spool, planned("pacs", route="changed", chain=True))
    assert counted(spool) == {"pacs": 4, "vna": 0}
    finish_copies(spool, changed=outcome)
    assert counted(spool) == left


def test_what_is_not_written_does_not_count(spool):
    wrong = arrival(spool, planned("pacs"), generation="one", patient_id=None)
    assert spool.ledger.accept(wrong).exception(20)
    assert counted(spool) == {"pacs": 0, "vna": 0}
