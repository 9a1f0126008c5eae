"""Four senders beside a crowd that connects and says nothing, or next to nothing."""

import subprocess
import sys
from contextlib import contextmanager

import psutil

from benchmarks.lab import NODELAY, REPOSITORY, Lab
from benchmarks.pairs import PAIRS, in_pairs, ratios
from benchmarks.result import Result
from tests.security.crowd import DRIPPING, SILENT

SENDERS = 4
OBJECTS = 1000
CROWD = f"{SILENT:,} silent and {DRIPPING} dripping connections"


def run(lab: Lab) -> list[Result]:
    folders = lab.data.folders(lab.data.small()[:OBJECTS], SENDERS)
    threads = []

    def alone() -> float:
        with lab.intake_router() as router:
            return lab.send(router.port("modalities"), folders, **NODELAY)

    def beside_the_crowd() -> float:
        with lab.intake_router() as router:
            port, process = router.port("modalities"), psutil.Process(router.process.pid)
            before = process.num_threads()
            with crowd(port):
                threads.append(process.num_threads() - before)
                return lab.send(port, folders, **NODELAY)

    measured = in_pairs(alone, beside_the_crowd, PAIRS)
    return [
        Result(f"receive {OBJECTS:,} x 2 KB, {SENDERS} senders, beside {CROWD}", "without them",
               "x", ratios(measured), 0.9, at_least=True,
               raw={"alone": measured[0], "beside": measured[1]}),
        Result(f"threads for {CROWD}", "", "", [max(threads)], 2),
    ]  # fmt: skip


@contextmanager
def crowd(port: int):
    """All of it, until the end of the `with`."""
    command = [sys.executable, "-m", "tests.security.crowd", str(port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) as process:
        if process.stdout.readline() != "there\n":
            raise RuntimeError("the crowd did not come")
        yield
        process.communicate(timeout=60)
