"""Files and rows go when everything about them is done, and not before."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.dataset import FileRange
from router.spool import (
    Attempt,
    HeldCopy,
    IntakeRefusal,
    Selection,
    Skipped,
    Spool,
    Stored,
    files,
)
from tests.spool.making import (
    META,
    NOW,
    accept,
    arrival,
    deliver,
    finish_copies,
    planned,
    processed,
    write_file,
)

DAY = 24 * 60 * 60.0


def accepted(spool: Spool, *copies: object, **more: object) -> Path:
    """Accept; the file."""
    given = arrival(spool, *copies, **more)  # type: ignore[arg-type]
    spool.ledger.accept(given).result(20)
    return Path(given.stored.path)


def refuse_all(spool: Spool) -> None:
    tasks = spool.ledger.claim("pacs", 9)
    attempts = [Attempt(task.delivery_id, NOW, "held", 0xC000, "no") for task in tasks]
    spool.ledger.finish(attempts).result(20)


@pytest.mark.parametrize(
    ("chain", "act"),
    [
        (False, lambda spool: deliver(spool, "vna")),
        (False, lambda spool: (deliver(spool, "vna"), refuse_all(spool))),
        (True, lambda spool: deliver(spool, "pacs")),
        (True, lambda spool: finish_copies(spool, clinical=HeldCopy("no", "p", "h"))),
        (True, lambda spool: finish_copies(spool, clinical=processed("pacs"))),
    ],
    ids=["queued", "held", "unprocessed", "held copy", "processed, not delivered"],
)
def test_a_file_that_is_still_needed_stays(
    spool: Spool, chain: bool, act: Callable[[Spool], object]
) -> None:
    file = accepted(spool, planned("pacs", "vna", chain=chain))
    act(spool)
    assert spool.expire(0) == 0
    assert spool.make_room(1 << 62) == 0
    assert file.exists()


@pytest.mark.parametrize(
    ("chain", "act"),
    [
        (False, lambda spool: (deliver(spool, "pacs"), deliver(spool, "vna"))),
        (False, lambda spool: spool.ledger.discard(Selection(), "no").result(20)),
        (True, lambda spool: finish_copies(spool, clinical=Skipped("localizer", "skip"))),
        (True, lambda spool: finish_copies(spool, clinical=processed())),
        (True, lambda spool: spool.ledger.discard(Selection(), "no").result(20)),
    ],
    ids=["delivered", "discarded", "skipped", "stored by its chain", "discarded copy"],
)
def test_a_file_goes_once_all_is_done(
    spool: Spool, chain: bool, act: Callable[[Spool], object]
) -> None:
    file = accepted(spool, planned("pacs", "vna", chain=chain))
    act(spool)
    assert spool.expire(0) == 1
    assert not file.exists()
    assert (spool.ledger.summary().instances, spool.ledger.summary().spool_bytes) == (0, 0)
    (instance,) = spool.ledger.where("1.2.3.4.5").instances
    assert not instance.kept


def test_an_instance_without_copies_is_done_at_once(spool: Spool) -> None:
    accepted(spool)
    assert spool.expire(0) == 1


def test_an_unwanted_instance_goes_once_discarded(spool: Spool) -> None:
    accepted(spool, held_reason="unmatched")
    assert spool.expire(0) == 0
    spool.ledger.discard(Selection(), "no").result(20)
    assert spool.expire(0) == 1


def test_what_is_done_is_retained(spool: Spool) -> None:
    file = accepted(spool, planned("pacs"))
    deliver(spool, "pacs")
    now = datetime.now(UTC)
    assert spool.expire(DAY, now + timedelta(seconds=DAY - 60)) == 0
    assert file.exists()
    assert spool.expire(DAY, now + timedelta(seconds=DAY + 60)) == 1


def test_what_is_retained_for_ever_only_makes_room(spool: Spool) -> None:
    accepted(spool, planned("pacs"))
    deliver(spool, "pacs")
    assert spool.expire(math.inf) == 0
    assert spool.make_room(1 << 62) == 1


def test_what_was_done_first_makes_room_first(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.spool.spool.EXPIRED_AT_ONCE", 1)
    first = accepted(spool, planned("pacs"), uid="1.1")
    second = accepted(spool, planned("vna"), uid="1.2")
    deliver(spool, "vna")
    deliver(spool, "pacs")
    assert spool.make_room(0) == 0
    assert spool.expire(0) == 1
    assert (first.exists(), second.exists()) == (True, False)
    assert spool.make_room(1 << 62) == 1


def test_a_shared_file_goes_with_its_last_instance(spool: Spool) -> None:
    path = write_file(spool, b"onetwo")
    one, two = Stored(path, len(META), 3), Stored(path, len(META) + 3, 3)
    accept(spool, planned("pacs"), uid="1.1", stored=one)
    accept(spool, planned("vna"), uid="1.2", stored=two)
    deliver(spool, "pacs")
    assert spool.expire(0) == 1
    (task,) = spool.ledger.claim("vna", 1)
    assert task.segments == (FileRange(path, len(META) + 3, 3),)
    assert Path(path).exists()
    spool.ledger.release_claims([task.delivery_id])
    deliver(spool, "vna")
    assert spool.expire(0) == 1
    assert not Path(path).exists()


def test_the_files_a_chain_made_go_with_the_instance(spool: Spool) -> None:
    accept(spool, planned("vna", chain=True))
    (task,) = spool.ledger.claim_copies(1)
    workspace = spool.workspaces / str(task.copy_id)
    workspace.mkdir()
    (workspace / "pixels").write_bytes(b"blanked")
    outcome = processed("vna", uid="2.1", segments=(FileRange(str(workspace / "pixels"), 0, 7),))
    spool.ledger.finish_copy(task.copy_id, outcome).result(20)
    assert spool.expire(0) == 0
    assert workspace.exists()
    deliver(spool, "vna")
    assert spool.expire(0) == 1
    assert not workspace.exists()


def test_a_file_removed_just_before_a_crash_is_forgotten_the_next_time(spool: Spool) -> None:
    file = accepted(spool, planned("pacs"))
    deliver(spool, "pacs")
    file.unlink()
    spool.close()
    spool.open()
    assert spool.ledger.summary().missing_files == 0
    assert spool.expire(0) == 1


def test_an_emptied_directory_goes_unless_it_is_in_use(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_PER_DIRECTORY", 2)
    paths = [accepted(spool, planned("pacs"), uid=f"1.{number}") for number in range(3)]
    deliver(spool, "pacs")
    assert spool.expire(0) == 3
    assert [path.parent.exists() for path in paths] == [False, False, True]
    accepted(spool, planned("pacs"))


def test_history_is_forgotten_only_of_what_is_done_and_gone(spool: Spool) -> None:
    accept(spool, planned("pacs"), uid="1.1")
    accept(spool, planned("vna"), uid="1.2", series_instance_uid="8", study_instance_uid="9")
    accept(spool, planned("vna"), uid="1.3")
    deliver(spool, "pacs")
    before = NOW + timedelta(seconds=1)
    assert spool.ledger.forget(before).result(20) == 0
    assert spool.expire(0) == 1
    assert spool.ledger.forget(NOW).result(20) == 0
    assert spool.ledger.forget(before).result(20) == 1
    assert spool.ledger.where("1.1").instances == ()
    assert len(spool.ledger.where("1.2.3").instances) == 1
    assert [len(spool.ledger.claim("vna", 9))] == [2]


def test_a_forgotten_series_may_come_again(spool: Spool) -> None:
    for _ in range(2):
        accept(spool, planned("pacs"))
        assert deliver(spool, "pacs") == 1
        assert spool.expire(0) == 1
        assert spool.ledger.forget(NOW + timedelta(days=1)).result(20) == 1


def test_old_refusals_are_forgotten(spool: Spool) -> None:
    spool.ledger.refused(IntakeRefusal(NOW, "radiology", "CT1", "10.1.4.7", "1.2", 0x0124, "no"))
    spool.ledger.forget(NOW + timedelta(seconds=1)).result(20)
    assert spool.ledger.summary(NOW).refusals == ()
