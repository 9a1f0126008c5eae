"""What processes use: processor time and memory, of a process with all its children."""

import threading
from contextlib import suppress

import psutil

MIB = 1024**2


def tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time so far, children that have ended included."""
    total = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:2])
    return total + sum(psutil.Process(pid).cpu_times()[2:4])


def resident(pid: int) -> float:
    """MiB of resident memory of all of them, shared pages counted for each."""
    total = 0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / MIB


class MemoryPeak(threading.Thread):
    """The most that `resident` was while in a `with`, in MiB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._done = threading.Event()
        self.most = resident(pid)

    def __enter__(self) -> "MemoryPeak":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(0.05):
            self.most = max(self.most, resident(self._pid))
