"""How much of the time of intake is waiting for the disk: fsync and fdatasync, under strace."""

import os
import re
import shutil
import signal
import subprocess

from benchmarks.data import SkippedError
from benchmarks.lab import NODELAY, ONE_ROUTE, Lab, free_port
from benchmarks.result import Result
from tests.story.peers import DICOM_ROUTER, RunningRouter, until

_SYNC = re.compile(r"(?:fsync|fdatasync)\(.*<([\d.]+)>$|<\.\.\. (?:fsync|fdatasync) .*<([\d.]+)>$")


class TracedRouter(RunningRouter):
    """Only the syncs are stopped at (seccomp), so the rest runs at nearly its own speed."""

    def start(self) -> "TracedRouter":
        strace = ["strace", "-f", "--seccomp-bpf", "-T", "-e", "trace=fsync,fdatasync", "-o"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*strace, str(self.trace), *DICOM_ROUTER, "run", str(self.config)],
                stdout=log,
                stderr=log,
            )
        until(self._answers, "the traced router does not start")
        return self

    @property
    def trace(self):
        return self.directory / "syncs"

    def close(self) -> None:
        """End the router: strace ends with it, but not the other way round."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.ask("status")["pid"], signal.SIGKILL)
            self.process.wait(60)


def run(lab: Lab) -> list[Result]:
    if shutil.which("strace") is None:
        raise SkippedError("strace is not installed")
    kinds = {"500 x 512 KiB": lab.data.ct(), "2,000 x 2 KB": lab.data.small()}
    return [
        _share(lab, name, lab.data.folders(files, 1), len(files)) for name, files in kinds.items()
    ]


def _share(lab: Lab, name: str, folders: list, count: int) -> Result:
    router = TracedRouter(lab.folder("traced"), ONE_ROUTE.format(port=free_port()))
    try:
        router.start()
        before = _syncs(router)
        took = lab.send(router.port("modalities"), folders, **NODELAY)
        waited = _syncs(router)[len(before) :]
    finally:
        router.close()
    return Result(
        f"receive {name}, one association: share of the time that is waiting for the disk",
        "", "%", [100 * sum(waited) / took], raw={"all": [took], "syncs": [sum(waited)]},
        note=f"{len(waited) / count:.1f} syncs for each object",
    )  # fmt: skip


def _syncs(router: TracedRouter) -> list[float]:
    found = (_SYNC.search(line) for line in router.trace.read_text().splitlines())
    return [float(match[1] or match[2]) for match in found if match]
