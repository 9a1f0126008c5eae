"""From the first byte sent to the last file in both of two archives."""

from benchmarks.lab import Lab
from benchmarks.pairs import in_pairs, ratios
from benchmarks.result import Result
from benchmarks.routing import orthanc, two_routes, until_archived

WHAT = "500 x 512 KiB until both of two archives have them"


def against_orthanc(lab: Lab) -> Result:
    sinks = [lab.sink("FIRST"), lab.sink("SECOND")]
    folders = lab.data.folders(lab.data.ct(), 1)

    def by_orthanc() -> float:
        with orthanc(lab, sinks) as port:
            return until_archived(lab, port, folders, sinks)

    took = in_pairs(lambda: _by_router(lab, sinks), by_orthanc, pairs=2)
    raw = {"router": took[0], "orthanc": took[1]}
    return Result(WHAT, "Orthanc with a Lua script", "x", ratios(took), 0.1, raw=raw)


def rewriting(lab: Lab) -> Result:
    sinks = [lab.sink("FIRST"), lab.sink("SECOND")]
    took = in_pairs(lambda: _by_router(lab, sinks, rewriting=True), lambda: _by_router(lab, sinks))
    return Result(
        f"{WHAT}, `set` of 20 elements for one of them",
        "the router without it",
        "x",
        ratios(took),
        1.3,
        raw={"with set": took[0], "without": took[1]},
    )


def _by_router(lab: Lab, sinks: list, rewriting: bool = False) -> float:
    folders = lab.data.folders(lab.data.ct(), 1)
    with lab.router(two_routes(sinks, rewriting)) as router:
        return until_archived(lab, router.port("modalities"), folders, sinks)
