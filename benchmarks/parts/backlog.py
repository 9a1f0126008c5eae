"""Intake while very much waits for a destination that is down."""

import subprocess
import sys
from contextlib import ExitStack

from benchmarks.lab import NODELAY, ONE_ROUTE, REPOSITORY, Lab, free_port
from benchmarks.pairs import in_pairs, ratios
from benchmarks.result import Result

WAITING = 200_000


def run(lab: Lab) -> Result:
    folders = lab.data.folders(lab.data.small(), 1)
    config = ONE_ROUTE.format(port=free_port())  # nothing listens there
    full, empty = lab.folder("full"), lab.folder("empty")
    fill = [sys.executable, "-m", "benchmarks.parts.fill_ledger", str(full / "spool")]
    subprocess.run([*fill, str(lab.data.small()[0]), str(WAITING)], check=True, cwd=REPOSITORY)
    with ExitStack() as routers:
        ports = [
            routers.enter_context(lab.router(config, folder)).port("modalities")
            for folder in (full, empty)
        ]
        took = in_pairs(
            lambda: lab.send(ports[0], folders, **NODELAY),
            lambda: lab.send(ports[1], folders, **NODELAY),
        )
    return Result(
        f"receive 2,000 x 2 KB while {WAITING:,} deliveries wait for a dead destination",
        "an empty queue",
        "x",
        ratios(took),
        1.15,
        raw={"200,000 wait": took[0], "empty": took[1]},
    )
