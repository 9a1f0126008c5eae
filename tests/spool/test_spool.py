"""The spool's directory: held by one process, cleared of what was never acknowledged."""

import os
from pathlib import Path

import apsw
import pytest

from router.dataset import FileRange
from router.spool import Spool, SpoolError, SpoolFailed, SpoolLocked, SyncFailed, files
from tests.spool.making import accept, arrival, deliver, planned, processed, write_file


def files_of(spool: Spool) -> list[Path]:
    found = (spool.directory / "files").rglob("*")
    return sorted(path for path in found if path.is_file() and path.name != "settled")


def reopen(spool: Spool) -> None:
    spool.close()
    spool.open()


def test_a_second_holder_is_told_who_has_the_spool(spool: Spool) -> None:
    with pytest.raises(SpoolLocked, match=f"process id {os.getpid()}"):
        Spool(spool.directory).open()


def test_a_closed_spool_can_be_opened_again(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    reopen(spool)
    assert deliver(spool, "pacs") == 1


def test_a_spool_of_a_newer_version_is_left_alone(spool: Spool) -> None:
    spool.close()
    connection = apsw.Connection(str(spool.directory / "ledger.db"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SpoolError, match="schema 99"):
        spool.open()


def test_files_nobody_accepted_are_removed_at_the_next_start(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_PER_DIRECTORY", 2)
    for number in range(5):
        accept(spool, planned("pacs"), uid=f"1.{number}")
        spool.incoming().write([b"torn"])
    write_file(spool, b"never accepted")
    reopen(spool)
    assert len(files_of(spool)) == 5
    assert deliver(spool, "pacs") == 5


def test_starts_leave_no_empty_directories_behind(spool: Spool) -> None:
    for _ in range(3):
        reopen(spool)
    assert len([path for path in (spool.directory / "files").iterdir() if path.is_dir()]) == 1


def test_a_ledger_locked_by_another_program_is_written_again_once_it_is_free(spool: Spool) -> None:
    intruder = apsw.Connection(str(spool.directory / "ledger.db"))
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolError, match="another program has locked"):
        accept(spool, planned("pacs"))
    intruder.execute("ROLLBACK")
    intruder.close()
    accept(spool, planned("pacs"))
    assert deliver(spool, "pacs") == 1


def test_directories_without_unaccepted_files_are_not_looked_through_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_PER_DIRECTORY", 1)
    for number in range(4):
        accept(spool, planned("pacs"), uid=f"1.{number}")
    stray = files_of(spool)[0].with_name("0" * 32)
    stray.touch()
    reopen(spool)
    assert stray.exists()


def test_a_file_still_open_keeps_its_directory_unsettled(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_PER_DIRECTORY", 1)
    torn = spool.incoming()
    for number in range(4):
        accept(spool, planned("pacs"), uid=f"1.{number}")
    reopen(spool)
    assert not Path(torn.path).exists()


def test_what_was_claimed_before_a_restart_is_claimed_again(spool: Spool) -> None:
    accept(spool, planned("pacs"), planned("vna", route="b", chain=True))
    before = (spool.ledger.claim("pacs", 9), spool.ledger.claim_copies(9))
    reopen(spool)
    assert (spool.ledger.claim("pacs", 9), spool.ledger.claim_copies(9)) == before


def test_a_pause_survives_a_restart(spool: Spool) -> None:
    spool.ledger.pause("pacs").result(20)
    reopen(spool)
    assert spool.ledger.paused() == {"pacs"}


def test_a_missing_file_is_held_and_reported(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    accept(spool, planned("pacs"), planned("vna", route="b", chain=True), uid="1.1")
    accept(spool, uid="1.2", held_reason="unmatched")
    accept(spool, planned("pacs"), uid="1.3")
    (task,) = spool.ledger.claim_copies(9)
    Path(task.stored.path).unlink()
    reopen(spool)
    summary = spool.ledger.summary()
    assert summary.missing_files == 1
    assert [task.sop_instance_uid for task in spool.ledger.claim("pacs", 9)] == ["1.3"]
    assert spool.ledger.claim_copies(9) == []
    assert "spool.file.missing sop_instance_uid=1.1" in caplog.text


def test_a_file_that_is_too_short_is_missing(spool: Spool) -> None:
    given = arrival(spool, planned("pacs"), content=b"0123456789")
    spool.ledger.accept(given).result(20)
    os.truncate(given.stored.path, given.stored.offset + 9)
    reopen(spool)
    assert spool.ledger.summary().missing_files == 1


def test_free_space_is_what_the_filesystem_says(spool: Spool) -> None:
    space = os.statvfs(spool.directory)
    assert abs(spool.free_bytes() - space.f_bavail * space.f_frsize) < 1 << 30
    assert spool.has_room(0)
    assert not spool.has_room(1 << 62)


def test_after_a_failed_sync_nothing_is_accepted(spool: Spool) -> None:
    file = spool.incoming()
    unsynced = spool.incoming()
    given = arrival(spool, planned("pacs"))
    os.close(file._descriptor)  # fdatasync says EBADF
    with pytest.raises(SyncFailed):
        file.sync()
    assert spool.failed is not None
    with pytest.raises(SpoolFailed):
        spool.incoming()
    with pytest.raises(SpoolFailed):
        spool.keep(unsynced, given)
    assert spool.ledger.summary().failed == spool.failed
    unsynced.discard()
    assert Path(given.stored.path).exists()


def test_what_a_chain_made_outlives_the_restart(spool: Spool) -> None:
    accept(spool, planned("vna", chain=True))
    (task,) = spool.ledger.claim_copies(1)
    pixels = spool.workspaces / str(task.copy_id) / "pixels"
    pixels.parent.mkdir()
    pixels.write_bytes(b"blanked")
    segments = (b"header", FileRange(str(pixels), 0, 7))
    outcome = processed("vna", uid="2.25.1", segments=segments)
    spool.ledger.finish_copy(task.copy_id, outcome).result(20)
    reopen(spool)
    (delivery,) = spool.ledger.claim("vna", 1)
    assert delivery.segments == segments
    assert pixels.read_bytes() == b"blanked"
