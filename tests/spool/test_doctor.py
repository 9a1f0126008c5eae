"""What the spool's files and its ledger disagree about, and what is done about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from router.spool import Selection, Spool, SpoolError

from .making import accept, deliver, planned

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def files(spool: Spool) -> list[Path]:
    return sorted((spool.directory / "files").glob("*/*"))


def closed(tmp_path: Path, deliver_to: str = "") -> list[Path]:
    """A spool with two instances, each in a file, that nobody has open."""
    with Spool(tmp_path / "spool") as spool:
        accept(spool, planned("pacs"), uid="1.1")
        accept(spool, planned("pacs"), uid="1.2")
        if deliver_to:
            deliver(spool, deliver_to)
        return files(spool)


def test_a_spool_in_order_has_nothing_wrong_with_it(tmp_path):
    closed(tmp_path)
    with Spool(tmp_path / "spool") as spool:
        accept(spool, planned("pacs"), uid="1.3")
        found = spool.examine(repair=True)
        assert (found.ledger, found.lost, found.orphans, found.unrecorded) == ((), (), (), ())
        assert len(spool.ledger.claim("pacs", 9)) == 3


@pytest.mark.parametrize("repair", [False, True])
def test_what_nothing_refers_to_is_found_and_removed_on_request(tmp_path, repair):
    [file, _] = closed(tmp_path)
    with Spool(tmp_path / "spool"):
        pass  # all there is is known to be in order: a start does not look at it again
    (workspace := tmp_path / "spool" / "workspace" / "4711").mkdir()
    (workspace / "header").write_bytes(b"left behind")
    strangers = [file.parent / "stranger", file.parent.parent / "stranger"]
    for stranger in strangers:
        stranger.write_bytes(b"left behind")
    orphans = [*strangers, workspace]
    with Spool(tmp_path / "spool") as spool:
        found = spool.examine(repair)
        assert sorted(found.orphans) == sorted(map(str, orphans))
        assert [path.exists() for path in orphans] == [not repair] * 3
        assert bool(spool.examine(False).orphans) is not repair


def test_what_is_newer_than_the_start_is_left_alone(tmp_path):
    [file, _] = closed(tmp_path)
    with Spool(tmp_path / "spool") as spool:
        (file.parent / "new").write_bytes(b"being written")
        assert spool.examine(repair=True).orphans == ()
        assert (file.parent / "new").exists()


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_instances_whose_bytes_are_lost_are_held_on_request(tmp_path, damage):
    closed(tmp_path)
    with Spool(tmp_path / "spool") as spool:
        [task, other] = spool.ledger.claim("pacs", 9)
        path = Path(task.segments[0].path)
        path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:-1])
        [lost] = spool.examine(repair=False).lost
        assert (lost.sop_instance_uid, lost.path) == ("1.1", str(path))
        assert ("gone" in lost.problem) is (damage == "gone")
        spool.ledger.release_claims([task.delivery_id, other.delivery_id])
        spool.examine(repair=True)
        assert [each.sop_instance_uid for each in spool.ledger.claim("pacs", 9)] == ["1.2"]
        assert spool.ledger.summary().missing_files == 1
        assert spool.ledger.count(Selection(reason="missing")) == 1


def test_what_was_delivered_and_is_lost_is_only_forgotten(tmp_path):
    [file, _] = closed(tmp_path, deliver_to="pacs")
    file.unlink()
    with Spool(tmp_path / "spool") as spool:
        [lost] = spool.examine(repair=True).lost
        [instance] = spool.ledger.where(lost.sop_instance_uid).instances
        assert (instance.kept, instance.deliveries[0].state) == (False, "delivered")
        assert spool.examine(repair=False).lost == ()


def test_a_damaged_ledger_is_told(tmp_path):
    closed(tmp_path)
    connection = apsw.Connection(str(tmp_path / "spool" / "ledger.db"))
    connection.execute("PRAGMA writable_schema = 1")
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'priority DESC, study', 'size')"
                       " WHERE name = 'deliveries_queued'")  # fmt: skip
    connection.close()
    with Spool(tmp_path / "spool") as spool:
        assert any("deliveries_queued" in problem for problem in spool.examine(False).ledger)


def test_a_ledger_that_cannot_be_read_is_told_with_what_to_do(tmp_path):
    closed(tmp_path)
    with (tmp_path / "spool" / "ledger.db").open("r+b") as ledger:
        ledger.write(b"\xff" * 4096)
    with pytest.raises(SpoolError, match=r"ledger\.db is damaged .* move ledger\.db\* away"):
        Spool(tmp_path / "spool").open()
