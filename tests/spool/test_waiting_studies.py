"""Claiming study by study, and a ledger of the version before that could not."""

from datetime import UTC, datetime, timedelta

import apsw

from router.spool import Attempt, Selection, Spool, StandIn, Stored
from router.spool.studies import MOST_COUNTED

from .making import ASSOCIATION, META, NOW, accept, delivered, planned, write_file


def fill(spool: Spool, *studies: tuple[str, int]) -> None:
    """Studies with so many instances each, in this order."""
    for study, count in studies:
        for number in range(count):
            uid = f"{study}.1.{number}"
            accept(spool, planned("pacs"), uid=uid, study_instance_uid=study)


def waiting(spool: Spool, destination: str = "pacs", stand_in: StandIn | None = None) -> list[int]:
    """How many wait of each study, in the order they are offered."""
    offered = []
    spool.ledger.claim_study(destination, 1, lambda studies: offered.extend(studies), stand_in)
    return [each.waiting for each in offered]


def claim(spool: Spool, position: int, limit: int = 100) -> list[str]:
    tasks = spool.ledger.claim_study("pacs", limit, lambda studies: studies[position].study)
    return [task.sop_instance_uid for task in tasks]


def test_studies_are_offered_in_order_of_arrival_and_claimed_one_at_a_time(spool):
    fill(spool, ("1.9", 3), ("1.2", 2), ("1.5", 1))
    assert waiting(spool) == [3, 2, 1]
    assert claim(spool, 1) == ["1.2.1.0", "1.2.1.1"]
    assert waiting(spool) == [3, 1]
    assert claim(spool, 0, limit=2) == ["1.9.1.0", "1.9.1.1"]
    assert waiting(spool) == [1, 1]


def test_a_study_is_one_however_many_series_it_has_and_whenever_they_come(spool):
    for number, study in enumerate(["1.1", "1.2", "1.1"]):
        more = {"study_instance_uid": study, "series_instance_uid": f"{study}.{number}"}
        accept(spool, planned("pacs"), uid=f"{study}.{number}.1", **more)
    assert waiting(spool) == [2, 1]
    assert claim(spool, 0) == ["1.1.0.1", "1.1.2.1"]


def test_no_more_is_counted_than_needed_and_what_just_came_is_always_offered(spool):
    fill(spool, ("1.1", MOST_COUNTED + 5), *((f"1.2.{number}", 1) for number in range(40)))
    fill(spool, ("1.3", 2))
    offered = waiting(spool)
    assert offered[0] == MOST_COUNTED
    assert offered[-1] == 2
    assert len(offered) == 16


def test_what_was_put_first_is_offered_alone(spool):
    fill(spool, ("1.1", 3), ("1.2", 2))
    spool.ledger.first(Selection(study_instance_uid="1.2")).result(20)
    assert waiting(spool) == [2]
    assert claim(spool, 0) == ["1.2.1.0", "1.2.1.1"]
    assert waiting(spool) == [3], "the others have their turn while those are being sent"


def test_what_is_due_again_is_offered_with_its_study(spool):
    fill(spool, ("1.1", 2))
    [first] = spool.ledger.claim("pacs", 1)
    for due, offered in ((timedelta(days=1), [1]), (-timedelta(days=1), [2])):
        retry_at = first.first_queued + due
        attempt = Attempt(first.delivery_id, NOW, "retry", retry_at=retry_at)
        spool.ledger.finish([attempt]).result(20)
        assert waiting(spool) == offered


def test_a_stand_in_gets_nothing_that_came_from_it_or_goes_to_it_anyway(spool):
    fill(spool, ("1.1", 2))
    accept(spool, planned("pacs", "other"), uid="1.5.1", study_instance_uid="1.5")
    name, address = ASSOCIATION.calling_ae_title, ASSOCIATION.address
    for who, offered in (
        (StandIn("archive"), [2, 1]),
        (StandIn("other"), [2]),
        (StandIn("archive", name, address), []),
        (StandIn("archive", name), []),
        (StandIn("archive", name, "10.9.9.9"), [2, 1]),
        (StandIn("archive", "ARCHIVE", address), [2, 1]),
    ):
        assert waiting(spool, stand_in=who) == offered, who


def test_what_a_stand_in_took_says_so(spool):
    fill(spool, ("1.1", 2))
    [task] = spool.ledger.claim("pacs", 1)
    refused = Attempt(task.delivery_id, NOW, "refused", 0xC000, destination="archive")
    spool.ledger.finish([refused]).result(20)
    [task] = spool.ledger.claim("pacs", 1)
    assert task.refusals == 0, "its own destination has not refused it"
    attempt = Attempt(task.delivery_id, NOW, "delivered", 0, destination="archive")
    spool.ledger.finish([attempt]).result(20)
    [instance] = spool.ledger.where(task.sop_instance_uid).instances
    [delivery] = instance.deliveries
    assert (delivery.destination, delivery.state) == ("pacs", "delivered")
    assert delivery.reason == "archive took it instead"
    assert delivery.attempts == (refused, attempt)
    known = {each.destination: each for each in spool.ledger.summary().destinations}
    assert known["archive"].last_success == NOW
    assert known["pacs"].last_success is None


def test_copies_of_a_higher_priority_are_processed_first(spool):
    for number, priority in enumerate((0, 5, -1, 5)):
        copy = planned("pacs", chain=True)
        copy = type(copy)(copy.route, copy.destinations, True, priority)
        accept(spool, copy, uid=f"1.{number}")
    order = [task.sop_instance_uid for task in spool.ledger.claim_copies(9)]
    assert order == ["1.1", "1.3", "1.0", "1.2"]


def test_a_spool_of_the_version_before_goes_on(tmp_path):
    with Spool(tmp_path / "spool") as spool:
        fill(spool, ("1.2.3", 3), ("1.9", 1))
        [task] = spool.ledger.claim("pacs", 1)
        spool.ledger.finish([delivered(task.delivery_id)]).result(20)
    downgrade(tmp_path / "spool" / "ledger.db")
    with Spool(tmp_path / "spool") as spool:
        assert waiting(spool) == [2, 1]
        assert claim(spool, 0) == ["1.2.3.1.1", "1.2.3.1.2"]
        assert [path.exists() for path in (tmp_path / "spool" / "files").glob("*/*")] == [True] * 4
        fill(spool, ("1.10", 1))
        [instance] = spool.ledger.where("1.2.3.1.0").instances
        assert [each.outcome for each in instance.deliveries[0].attempts] == ["delivered"]


def downgrade(path) -> None:
    """The tables as schema 1 had them."""
    connection = apsw.Connection(str(path))
    connection.execute("""
        DROP TABLE studies; DROP TABLE gathered; DROP TABLE retrieves; DROP TABLE retrieved;
        ALTER TABLE instances RENAME COLUMN digest TO sha256;
        DROP TABLE files; DROP INDEX deliveries_queued; DROP INDEX copies_received;
        ALTER TABLE deliveries RENAME COLUMN study TO series;
        UPDATE deliveries SET series =
            (SELECT series FROM instances WHERE instances.id = deliveries.instance);
        CREATE INDEX deliveries_queued ON deliveries(destination, priority DESC)
            WHERE state = 'queued';
        CREATE INDEX copies_received ON copies(instance) WHERE state = 'received';
        DROP INDEX deliveries_behind; ALTER TABLE deliveries DROP COLUMN behind;
        ALTER TABLE copies DROP COLUMN content; ALTER TABLE instances DROP COLUMN answer;
        ALTER TABLE deliveries DROP COLUMN note;
        ALTER TABLE attempts DROP COLUMN destination;
        ALTER TABLE copies DROP COLUMN priority;
        ALTER TABLE series DROP COLUMN study;
        PRAGMA user_version = 1;
    """)
    connection.close()


def test_of_a_study_no_more_is_claimed_at_a_time_than_is_soon_sent(spool):
    for number in range(5):
        uid = f"1.{number}"
        large = Stored(write_file(spool, b"data"), len(META), 40 << 20)
        accept(spool, planned("pacs"), uid=uid, study_instance_uid="1", stored=large)
    assert claim(spool, 0) == ["1.0", "1.1"]
    assert claim(spool, 0) == ["1.2", "1.3"]
    assert waiting(spool) == [1]


def test_what_has_waited_for_long_is_claimed_to_be_held(spool):
    fill(spool, ("1.9", 3), ("1.2", 2))
    [first, *_] = spool.ledger.claim("pacs", 1)
    later = datetime.now(UTC) + timedelta(hours=1)
    spool.ledger.finish([Attempt(first.delivery_id, NOW, "refused", 0xC000, "", later)]).result(20)
    assert spool.ledger.claim_overdue("pacs", NOW, 9) == []
    assert spool.ledger.claim_overdue("vna", later, 9) == []
    found = [len(spool.ledger.claim_overdue("pacs", later, 3)) for _ in range(3)]
    assert found == [3, 2, 0]
