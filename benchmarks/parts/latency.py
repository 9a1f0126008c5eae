"""How long one instance takes: to its destination, and to its answer while workers are busy."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.lab import ONE_ROUTE, Lab
from benchmarks.pairs import ratios
from benchmarks.result import Result
from benchmarks.scu import CT, associate, store
from benchmarks.stopwatch import StopwatchSink
from router.routing import default_workers
from router.wire import Acceptor

OBJECTS = 100
BUSY = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  modalities: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  archive: {ae_title: ARCHIVE, host: 127.0.0.1, port: 9}
plugins:
  slow: {use: "slow.py:Slow"}
routes:
  - {name: slow, when: {calling_ae_title: SLOW}, chain: [slow], to: [archive]}
  - {name: everything, to: [archive]}
"""
SLOW = """\
import time
from router import hookimpl

class Slow:
    @hookimpl
    def filter_instance(self, instance):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            pass
"""


def delivered(lab: Lab) -> Result:
    """Response to the sender until the destination has the last byte, one instance at a time."""
    sink = StopwatchSink()
    acceptor = Acceptor("127.0.0.1", 0, sink)
    acceptor.start()
    took = []
    with lab.router(ONE_ROUTE.format(port=acceptor.port)) as router:
        association = associate(router.port("modalities"), [CT])
        for path in lab.data.ct()[:OBJECTS]:
            store(association, path)
            answered = time.perf_counter()
            took.append(1000 * (sink.stored.get(timeout=30) - answered))
        association.release()
    acceptor.close()
    return Result(
        "C-STORE response until delivered, 512 KiB, one at a time: p50", "", "ms", [median(took)],
        raw={"each": took}, raw_unit="ms",
    )  # fmt: skip


def with_busy_workers(lab: Lab) -> Result:
    """Round trips of small objects, first with idle workers, then with all of them busy."""
    (lab.directory / "slow.py").write_text(SLOW)
    idle, busy = [], []
    for _ in range(3):
        with lab.router(BUSY.replace("slow.py", str(lab.directory / "slow.py"))) as router:
            port, unsent = router.port("modalities"), iter(lab.data.small())
            _round_trip(port, unsent)  # does not count: the router has just started
            idle.append(_round_trip(port, unsent))
            association = associate(port, [CT], calling_ae_title="SLOW")
            for _ in range(2 * default_workers()):
                store(association, next(unsent))
            association.release()
            time.sleep(1)  # the workers are started and at it
            busy.append(_round_trip(port, unsent))
    return Result(
        "C-STORE round trip of 2 KB while every worker computes: p50", "idle workers", "x",
        ratios((busy, idle)), 1.5, raw={"busy": busy, "idle": idle}, raw_unit="ms",
    )  # fmt: skip


def _round_trip(port: int, unsent: Iterator[Path]) -> float:
    association = associate(port, [CT])
    took = [store(association, path) for path in islice(unsent, 2 * OBJECTS)]
    association.release()
    return 1000 * median(took)
