"""A disk that fails or is full: the right answers, nothing acknowledged lost, and back to work."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.story.peers import until

from .modality import Sender
from .site import Site
from .tracing import Strace

OUT_OF_RESOURCES = 0xA700
MIB = 1 << 20


@pytest.fixture
def site(run_site, tmp_path) -> Site:
    return run_site(tmp_path)


def attention(site: Site) -> str:
    """What `status` says; it must say that something needs attention."""
    told = site.router.command("status")
    assert told.returncode == 1, told.stdout
    return told.stdout


def tells_of_the_disk(site: Site) -> bool:
    return "The router is out of disk space" in site.router.command("status").stdout


def check_nothing_is_synced_again(strace: Strace) -> None:
    """A second sync would succeed, though what the first could not write is gone."""
    synced = [each for call in ("fdatasync", "fsync") for each in strace.paths(call)]
    failed = {path for path, injected in synced if injected}
    assert failed
    after = Counter(path for path, _ in synced)
    assert {path: after[path] for path in failed if after[path] > 1 and Path(path).is_file()} == {}


@pytest.mark.parametrize(
    "failure",
    [
        "fdatasync:error=EIO:when=1",  # the first instance's file
        "fsync:error=EIO:when=1",  # the directory it is in
        "pwrite64:error=EIO:when=3",  # the ledger
        "writev:error=EIO:when=2",  # a file, before all of the instance has come
        "writev:error=EROFS:when=2",
    ],
)
def test_after_a_failed_write_or_sync_nothing_is_accepted_before_a_restart(site, trace, failure):
    sender = Sender(site.port)
    assert sender.send(5) == [0] * 5
    syncs = () if failure.startswith("f") else ("fdatasync:retval=0:when=65535",)
    strace = trace(site.router, failure, *syncs)
    statuses = sender.send(10)
    strace.close()
    accepted = statuses.index(OUT_OF_RESOURCES)
    assert statuses == [0] * accepted + [OUT_OF_RESOURCES] * (10 - accepted)
    assert "nothing more is accepted: " in attention(site)
    assert "critical spool.failed" in site.router.log.read_text()
    if failure.startswith("f"):
        check_nothing_is_synced_again(strace)
    site.router.kill()
    site.router.start()
    assert sender.send(5) == [0] * 5
    site.check(sender)


def test_a_ledger_whose_sync_failed_is_neither_synced_nor_written_again(site, trace):
    """The first sync of the ledger's own thread that is not the first of an association's."""
    sender = Sender(site.port)
    strace = trace(site.router, "fdatasync:error=EIO:when=2", "pwrite64:retval=0:when=65535")
    statuses = []
    for _ in range(20):  # one on each association: none gets to its second sync
        statuses += sender.send(1)
    assert OUT_OF_RESOURCES in statuses
    strace.close()
    ledger = [line for line in strace.lines if "/ledger.db" in line]
    [failed] = [n for n, line in enumerate(ledger) if "INJECTED" in line]
    assert [line for line in ledger[failed + 1 :] if "ledger.db-shm" not in line] == []
    assert site.router.stop() == 0
    assert (site.router.spool / "ledger.db-wal").stat().st_size > 0  # it is read again, not copied
    site.router.start()
    site.check(sender)


@pytest.mark.parametrize("call", ["writev", "pwrite64"])
@pytest.mark.parametrize("error", ["EDQUOT", "ENOSPC"])
def test_after_one_write_without_space_it_goes_on(site, trace, call, error):
    sender = Sender(site.port)
    assert sender.send(5) == [0] * 5
    strace = trace(site.router, f"{call}:error={error}:when=4")
    statuses = sender.send(20)
    strace.close()
    assert set(statuses) <= {0, OUT_OF_RESOURCES}
    assert statuses.count(OUT_OF_RESOURCES) == 1 or call == "pwrite64"
    until(lambda: sender.send(1) == [0], "it accepts again", 10)
    site.check(sender)


@pytest.mark.parametrize("pixels", [64, 300_000])
def test_a_full_disk_refuses_and_goes_on_when_there_is_space_again(make_disk, run_site, pixels):
    disk = make_disk(size="48M")
    site = run_site(disk.path)
    ballast = disk.fill(leave=3 * MIB)
    sender = Sender(site.port, pixels=pixels)
    statuses = []
    while OUT_OF_RESOURCES not in statuses:
        statuses += sender.send(20)
    assert set(statuses) == {0, OUT_OF_RESOURCES}
    until(lambda: tells_of_the_disk(site), "status says so, as soon as there is space for a row")
    ballast.unlink()
    until(lambda: sender.send(1) == [0], "it accepts again", 10)
    site.check(sender)
    assert sender.send(20) == [0] * 20
    site.router.kill()
    site.router.start()
    site.check(sender)


def test_a_disk_without_inodes_refuses_and_goes_on_when_there_are_some(make_disk, run_site):
    disk = make_disk(size="64M", inodes=4096)
    site = run_site(disk.path)
    free = os.statvfs(disk.path).f_favail
    names = [disk.path / f"ballast{n}" for n in range(free - 1024 - 30)]
    for name in names:
        name.touch()
    sender = Sender(site.port)
    until(lambda: OUT_OF_RESOURCES in sender.send(10), "the inodes are used up", 20)
    until(lambda: tells_of_the_disk(site), "status says so")
    for name in names:
        name.unlink()
    until(lambda: sender.send(1) == [0], "it accepts again", 10)
    site.check(sender)


def test_a_filesystem_that_becomes_read_only_is_told_and_loses_nothing(make_disk, run_site):
    disk = make_disk()
    site = run_site(disk.path)
    sender = Sender(site.port)
    assert sender.send(20) == [0] * 20
    disk.become_read_only()
    assert sender.send(5) == [OUT_OF_RESOURCES] * 5
    assert "nothing more is accepted: " in attention(site)
    site.router.kill()
    disk.start_again()
    site.router.start()
    assert sender.send(20) == [0] * 20
    site.check(sender)
