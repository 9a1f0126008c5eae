"""Resident memory of the router, its workers included, while one 2 GiB object goes through it."""

from benchmarks.lab import ONE_ROUTE, Lab
from benchmarks.result import Result
from benchmarks.routing import until_archived
from benchmarks.usage import MemoryPeak, resident


def run(lab: Lab) -> Result:
    sink = lab.sink("ARCHIVE")
    folder = lab.folder("multi-frame")
    big = lab.data.multi_frame()
    small = lab.data.folders(lab.data.ct()[:10], 1)
    (folder / big.name).hardlink_to(big)
    with lab.router(ONE_ROUTE.format(port=sink.port)) as router:
        port, pid = router.port("modalities"), router.process.pid
        until_archived(lab, port, small, [sink])  # everything has been loaded and started
        before = resident(pid)
        with MemoryPeak(pid) as peak:
            took = until_archived(lab, port, [folder], [sink])
    big.unlink()
    return Result(
        "memory growth while a 2 GiB multi-frame goes through",
        "itself before",
        "MiB",
        [peak.most - before],
        64,
        raw={"before": [before], "most": [peak.most]},
        raw_unit="MiB",
        note=f"there in {took:.1f} s",
    )
