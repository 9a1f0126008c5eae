"""What a router that has nothing to do costs."""

import time

from benchmarks.lab import Lab
from benchmarks.result import Result
from benchmarks.routing import two_routes, until_archived
from benchmarks.scu import VERIFICATION, associate
from benchmarks.usage import MIB, cpu_seconds, tree

WATCHED = 10  # seconds


def run(lab: Lab) -> list[Result]:
    sinks = [lab.sink("FIRST"), lab.sink("SECOND")]
    with lab.router(two_routes(sinks, rewriting=True)) as router:
        pid, port = router.process.pid, router.port("modalities")
        until_archived(lab, port, lab.data.folders(lab.data.ct()[:10], 1), sinks)
        time.sleep(6)  # outgoing associations are closed after 5 s
        idle = _cpu_share(pid)
        node, *helpers = (each.memory_info().rss / MIB for each in tree(pid))
        associations = [associate(port, [VERIFICATION]) for _ in range(100)]
        occupied = _cpu_share(pid)
        for association in associations:
            association.release()
    return [
        Result("idle router: processor time", "a core", "%", [idle], 1, raw_unit="%"),
        Result("idle router: resident memory of the node", "", "MiB", [node], 150),
        Result("idle router: resident memory of the largest worker", "", "MiB", [max(helpers)], 100,
               raw={"every other process": helpers}, raw_unit="MiB"),
        Result("100 idle associations: processor time", "a core", "%", [occupied], 5),
    ]  # fmt: skip


def _cpu_share(pid: int) -> float:
    before = cpu_seconds(pid)
    time.sleep(WATCHED)
    return 100 * (cpu_seconds(pid) - before) / WATCHED
