"""Small ext4 filesystems on loop devices: their power can be cut, they fill up, they break."""

import fcntl
import os
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.story.peers import until

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)  # what only the page cache or the journal's buffer has is lost


class Disk:
    """Mounted at `path` until `close`. Raises OSError or CalledProcessError where it cannot be."""

    def __init__(self, folder: Path, size: str = "200M", inodes: int | None = None) -> None:
        folder.mkdir()
        self._image = folder / "disk.img"
        self.path = folder / "disk"
        self.path.mkdir()
        run("truncate", "-s", size, self._image)
        # -m 0: no blocks reserved for root, as whom this runs
        run("mkfs.ext4", "-q", "-m", "0", *(("-N", str(inodes)) if inodes else ()), self._image)
        self._mount()

    def cut_power(self) -> None:
        """From now on nothing reaches the disk any more, and what had not is gone."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def become_read_only(self) -> None:
        """What ext4 does when it finds itself corrupt, as servers have it mounted."""
        device = Path(run("findmnt", "-no", "SOURCE", self.path)).name
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("as a test")

    def start_again(self) -> None:
        """Unmount, replay the journal and check, mount; nobody may use it any more."""
        until(self._unmounted, f"{self.path} is still in use", 20)
        checked = subprocess.run(["e2fsck", "-p", "-f", self._image], capture_output=True)
        assert checked.returncode in (0, 1), checked.stdout  # 1: errors were corrected
        self._mount()

    def fill(self, leave: int) -> Path:
        """A file that takes all the space but `leave` bytes; removing it gives that back."""
        space = os.statvfs(self.path)
        ballast = self.path / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leave)
        return ballast

    def close(self) -> None:
        until(self._unmounted, f"{self.path} is still in use", 20)

    def _mount(self) -> None:
        run("mount", "-o", "loop,errors=remount-ro", self._image, self.path)

    def _unmounted(self) -> bool:
        """Unmounting frees the loop device too."""
        with suppress(subprocess.CalledProcessError):
            run("umount", self.path)
        return not os.path.ismount(self.path)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()
