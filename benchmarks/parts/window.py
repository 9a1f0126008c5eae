"""Delivery over a long line: to a router, which grants a window, and to a peer that grants none."""

import time

from benchmarks.delay import delayed
from benchmarks.lab import NODELAY, ONE_ROUTE, Lab
from benchmarks.pairs import in_pairs, ratios
from benchmarks.result import Result
from tests.story.peers import until

COUNT = 200
FAR = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  modalities: {ae_title: ARCHIVE, port: 0, bind: 127.0.0.1}
destinations:
  shelf: {type: folder, directory: ./shelf, path: "{SOPInstanceUID}.dcm"}
routes:
  - {name: everything, to: [shelf]}
"""


def run(lab: Lab) -> Result:
    """Each sends over as many associations as a destination has by default."""
    folders = lab.data.folders(lab.data.small()[:COUNT], 1)
    sink = lab.sink("ARCHIVE")

    def send(far_port: int, arrived) -> float:
        with delayed(far_port) as port, lab.router(ONE_ROUTE.format(port=port)) as router:
            began = time.perf_counter()
            lab.send(router.port("modalities"), folders, **NODELAY)
            until(lambda: arrived() == COUNT, "all of them are there")
            return time.perf_counter() - began

    def to_router() -> float:
        folder = lab.folder("far")
        with lab.router(FAR, folder) as far:
            shelf = folder / "shelf"
            return send(far.port("modalities"), lambda: len(list(shelf.glob("*.dcm"))))

    def to_storescp() -> float:
        lab.folder(sink.directory.name)
        return send(sink.port, lambda: len(sink.files()))

    measured = in_pairs(to_router, to_storescp, pairs=2)
    return Result(
        f"deliver {COUNT} x 2 KB over a line of 20 ms each way, to a router",
        "to DCMTK storescp, which grants no window",
        "x",
        ratios(measured),
        raw={"to a router": measured[0], "to storescp": measured[1]},
    )
