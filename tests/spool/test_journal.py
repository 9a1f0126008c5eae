"""What was kept is accepted whatever happens between its file and the ledger's row."""

import os
from pathlib import Path

import pytest

from router.config import load
from router.dataset import encode_file_meta
from router.spool import Arrival, IncomingFile, Spool, SpoolFailed, SpoolFull, Stored, new_digest
from router.spool.journal import encode_record, read_records
from tests.spool.making import CT_IMAGE, EXPLICIT, arrival, deliver, planned
from tests.spool.test_spool import reopen

META = encode_file_meta(CT_IMAGE, "1.2.3.4", EXPLICIT)


def written(file: IncomingFile, spool: Spool, number: int, content: bytes) -> Arrival:
    """An instance at the end of the file, neither durable nor recorded yet."""
    begin = file.begin()
    file.write([META, content])
    stored = Stored(file.path, begin + len(META), len(content))
    digest = new_digest()
    digest.update(content)
    known = {"uid": f"1.{number}", "stored": stored, "digest": digest.digest()}
    return arrival(spool, planned("pacs"), **known)


def sealed(file: IncomingFile, given: Arrival) -> None:
    file.seal(encode_record(given))


def test_what_is_kept_is_recorded_and_delivered(spool: Spool) -> None:
    file = spool.incoming()
    ids = [
        spool.keep(file, written(file, spool, number, b"data" * number)).result(20)
        for number in (1, 2, 3)
    ]
    file.close()
    assert ids == sorted(set(ids))
    tasks = spool.ledger.claim("pacs", 9)
    contents = []
    for task in tasks:
        (whole,) = task.segments
        with open(whole.path, "rb") as stored:  # type: ignore[union-attr]
            contents.append(os.pread(stored.fileno(), whole.length, whole.offset))  # type: ignore[union-attr]
    assert contents == [b"data", b"data" * 2, b"data" * 3]


def test_kept_instances_without_a_row_get_one_at_the_next_start_once(spool: Spool) -> None:
    file = spool.incoming()
    spool.keep(file, written(file, spool, 1, b"recorded")).result(20)
    for number in (2, 3):
        sealed(file, written(file, spool, number, b"not recorded"))
    written(file, spool, 4, b"torn")
    reopen(spool)
    reopen(spool)
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == [
        "1.1",
        "1.2",
        "1.3",
    ]


def test_a_new_ledger_gets_all_that_is_in_the_spool(spool: Spool) -> None:
    file = spool.incoming()
    for number in (1, 2):
        spool.keep(file, written(file, spool, number, b"recorded")).result(20)
    file.close()
    reopen(spool)  # all there is is known to be in order
    spool.close()
    for part in list(spool.directory.glob("ledger.db*")):
        part.unlink()
    spool.open()
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == ["1.1", "1.2"]


def test_everything_an_arrival_says_survives_in_its_record(spool: Spool) -> None:
    file = spool.incoming()
    given = written(file, spool, 1, b"data")
    sealed(file, given)
    (found,) = read_records(file.path, 0)
    assert found.extent == (0, file.size)
    for name in Arrival.__slots__:
        if name != "extent":
            assert getattr(found, name) == getattr(given, name), name


@pytest.mark.parametrize("cut", [1, 20, 300, 1000])
def test_an_instance_that_is_not_whole_was_never_kept(spool: Spool, cut: int) -> None:
    file = spool.incoming()
    sealed(file, written(file, spool, 1, b"first" * 100))
    sealed(file, written(file, spool, 2, b"second" * 100))
    os.truncate(file.path, file.size - cut)
    reopen(spool)
    assert deliver(spool, "pacs") == 1


def test_an_instance_whose_bytes_changed_was_never_kept(spool: Spool) -> None:
    file = spool.incoming()
    sealed(file, written(file, spool, 1, b"first" * 100))
    with open(file.path, "r+b") as stored:
        os.pwrite(stored.fileno(), b"X", len(META) + 3)
    reopen(spool)
    assert deliver(spool, "pacs") == 0
    assert not Path(file.path).exists()


def test_a_discarded_instance_leaves_the_next_its_place(spool: Spool) -> None:
    file = spool.incoming()
    sealed(file, written(file, spool, 1, b"unwanted"))
    file.discard()
    sealed(file, written(file, spool, 2, b"wanted"))
    reopen(spool)
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == ["1.2"]


def test_rows_that_had_no_space_are_written_in_order_when_there_is_some(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spool.incoming()
    arrivals = [written(file, spool, 1, b"first")]
    full = SpoolFull("no space left for the ledger")
    monkeypatch.setattr("router.spool.accepting.accept", _raising(full))
    with pytest.raises(SpoolFull):
        spool.keep(file, arrivals[0]).result(20)
    with pytest.raises(SpoolFull):
        spool.incoming()
    with pytest.raises(SpoolFull):
        spool.keep(file, written(file, spool, 2, b"second"))
    file.discard()
    monkeypatch.undo()
    spool.record_again()
    spool.ledger.pause("x").result(20)  # what was submitted before is durable by then
    spool.keep(file, written(file, spool, 3, b"third")).result(20)
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == ["1.1", "1.3"]


def test_a_file_stays_while_something_in_it_has_no_row_yet(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spool.incoming()
    spool.keep(file, written(file, spool, 1, b"first")).result(20)
    assert deliver(spool, "pacs") == 1
    monkeypatch.setattr("router.spool.accepting.accept", _raising(SpoolFull("no space left")))
    spool.keep(file, written(file, spool, 2, b"second")).exception(20)
    file.close()
    assert spool.expire(retain=-1) == 0
    monkeypatch.undo()
    spool.record_again()
    spool.ledger.pause("x").result(20)
    assert deliver(spool, "pacs") == 1
    assert spool.ledger.summary().missing_files == 0
    assert spool.expire(retain=-1) == 2
    assert not Path(file.path).exists()


def _raising(error: Exception):  # type: ignore[no-untyped-def]
    def accept(*_: object) -> int:
        raise error

    return accept


def test_a_row_that_cannot_be_written_ends_accepting(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spool.incoming()
    monkeypatch.setattr("router.spool.accepting.accept", _raising(ValueError("broken")))
    spool.keep(file, written(file, spool, 1, b"data")).exception(20)
    monkeypatch.undo()
    assert spool.failed is not None
    with pytest.raises(SpoolFailed):
        spool.keep(file, written(file, spool, 2, b"data"))
    reopen(spool)
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == ["1.1"]


def test_what_a_start_finds_in_the_files_is_judged_by_the_configuration(
    spool: Spool, tmp_path: Path
) -> None:
    file = spool.incoming()
    spool.keep(file, written(file, spool, 1, b"data")).result(20)
    assert deliver(spool, "pacs") == 1
    sealed(file, written(file, spool, 1, b"data"))
    spool.close()
    config = tmp_path / "config.yaml"
    config.write_text("destinations: {pacs: {ae_title: PACS, host: h, resend: never}}\n")
    with Spool(spool.directory, load(config).destinations) as again:
        states = [one.deliveries[0].state for one in again.ledger.where("1.1").instances]
        assert states == ["delivered", "suppressed"]
    spool.open()
