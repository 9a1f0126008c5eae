"""Intake while very much waits for a destination that is down."""

import subprocess
import sys
from contextlib import ExitStack

from benchmarks.lab import NODELAY, ONE_ROUTE, REPOSITORY, Lab, free_port
from benchmarks.pairs import PAIRS, in_pairs, ratios
from benchmarks.result import Result

WAITING = 200_000


def run(lab: Lab) -> Result:
    editions = [lab.data.folders(lab.data.small(number), 1) for number in range(PAIRS + 1)]
    config = ONE_ROUTE.format(port=free_port())  # nothing listens there
    full, empty = lab.folder("full"), lab.folder("empty")
    fill = [sys.executable, "-m", "benchmarks.parts.fill_ledger", str(full / "spool")]
    subprocess.run([*fill, str(lab.data.small()[0]), str(WAITING)], check=True, cwd=REPOSITORY)
    with ExitStack() as routers:
        ports = [
            routers.enter_context(lab.router(config, folder)).port("modalities")
            for folder in (full, empty)
        ]
        unsent = [iter(editions), iter(editions)]
        took = in_pairs(
            lambda: lab.send(ports[0], next(unsent[0]), **NODELAY),
            lambda: lab.send(ports[1], next(unsent[1]), **NODELAY),
        )
    return Result(
        f"receive 2,000 x 2 KB while {WAITING:,} deliveries wait for a dead destination",
        "an empty queue",
        "x",
        ratios(took),
        1.15,
        raw={"200,000 wait": took[0], "empty": took[1]},
    )
