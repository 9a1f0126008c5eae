"""The power goes in the middle of accepting: what was acknowledged was on the disk."""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.spool.test_crash import check_recovery, start

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)  # what only the page cache or the journal's buffer has is lost


class Disk:
    """A small ext4 filesystem whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self._image = folder / "disk.img"
        self.path = folder / "disk"
        self.path.mkdir()
        run("truncate", "-s", "200M", self._image)
        run("mkfs.ext4", "-q", self._image)

    def mount(self) -> None:
        run("mount", "-o", "loop", self._image, self.path)

    def unmount(self) -> None:
        run("umount", self.path)

    def cut_power(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(descriptor)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        disk = Disk(tmp_path)
        disk.mount()
    except (OSError, subprocess.CalledProcessError):
        require(False, "cutting the power needs root, mkfs.ext4 and a loop device")
    yield disk
    disk.unmount()


@pytest.mark.parametrize("after", [1, 250])
def test_what_was_acknowledged_survives_a_power_cut(disk: Disk, after: int) -> None:
    directory = disk.path / "spool"
    with start(directory) as process:
        assert process.stdout is not None
        acknowledged = {process.stdout.readline().strip() for _ in range(after)}
        disk.cut_power()
        output, _ = process.communicate(timeout=60)
    # What it said after the cut counts for nothing: a sync under way at that moment may return
    # without an error, to a process that a real cut would have ended.
    assert output.split()[-1] == "failed"
    disk.unmount()
    disk.mount()
    check_recovery(directory, acknowledged)
