"""C-FIND and C-MOVE through the router, beside the same asked of the archive itself."""

import os
import subprocess
import sys
import time

from pydicom import dcmread

from benchmarks.lab import LONGEST, NODELAY, Lab, free_port
from benchmarks.pairs import in_pairs, ratios
from benchmarks.result import Result
from benchmarks.usage import MemoryPeak, resident
from tests.query.peers import Dcmqrscp

MATCHES = 10_000
QUERY_RETRIEVE = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
query_retrieve:
  - name: workstations
    listener: main
    upstreams: [pacs]
    accept: {{calling_ae_titles: [WS1]}}
    limit: 1000000
    move_destinations: [ws1]
"""


def find(lab: Lab) -> list[Result]:
    """Time for so many matches, and what the router's memory grows by with ten times as many."""
    port = free_port()
    growth = []
    with lab.running(_archive(MATCHES, port), port), lab.router(_config(port)) as router:
        through = router.port("main")
        measured = in_pairs(lambda: _ask(through), lambda: _ask(port), pairs=3)
    many = free_port()
    with lab.running(_archive(10 * MATCHES, many), many), lab.router(_config(many)) as router:
        pid = router.process.pid
        before = resident(pid)
        with MemoryPeak(pid) as peak:
            _ask(router.port("main"))
        growth.append(peak.most - before)
    return [
        Result(
            f"C-FIND of {MATCHES:,} matches through the router",
            "asked directly",
            "x",
            ratios(measured),
            1.5,
            raw={"router": measured[0], "direct": measured[1]},
        ),
        Result(
            f"memory growth while {10 * MATCHES:,} matches go through",
            "itself before",
            "MiB",
            growth,
            16,
            raw={"growth": growth},
            raw_unit="MiB",
        ),
    ]


def move(lab: Lab) -> Result:
    """500 CT objects from dcmqrscp to a workstation's storescp."""
    port, ws1 = free_port(), lab.sink("WS1")
    archive = Dcmqrscp(
        lab.directory / "pacs", free_port(), "PACS", {"ROUTER": port, "WS1": ws1.port}
    ).start()
    try:
        files = lab.data.ct()
        archive.fill(files[0].parent)
        with lab.router(_config(archive.port, port, ws1.port)):
            measured = in_pairs(
                lambda: _move(lab, port, "ROUTER"), lambda: _move(lab, archive.port, "PACS")
            )
    finally:
        archive.close()
    return Result(
        f"C-MOVE of {len(files)} x 512 KiB through the router",
        "DCMTK dcmqrscp directly",
        "x",
        ratios(measured),
        1.5,
        raw={"router": measured[0], "direct": measured[1]},
    )


def _config(pacs: int, port: int = 0, ws1: int = 0) -> str:
    return QUERY_RETRIEVE.format(port=port, pacs=pacs, ws1=ws1 or free_port())


def _archive(count: int, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.parts.matches", str(count), str(port)]


def _ask(port: int) -> float:
    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName", "PatientID"]
    asked = [part for key in keys for part in ("-k", key)]
    command = ["findscu", "-q", "-S", "-aec", "ROUTER", "-aet", "WS1", *asked]
    return _timed([*command, "127.0.0.1", str(port)])


def _move(lab: Lab, port: int, called: str) -> float:
    study = dcmread(lab.data.ct()[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    command = ["movescu", "-S", "-aec", called, "-aet", "WS1", "-aem", "WS1", *keys]
    return _timed([*command, "127.0.0.1", str(port)])


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=LONGEST,
        env=os.environ | NODELAY,
    )
    return time.perf_counter() - began
