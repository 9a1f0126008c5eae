"""`dicom-router demo`: a router and two archives (routers that write into folders) with studies
going through them, each a process of its own on loopback.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from router.operate import scu
from router.operate.control import NotRunning, call
from router.operate.generated import generate_studies
from router.wire import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = 30.0  # seconds a router may take to listen
_DELIVER = 120.0  # seconds for everything to arrive after it was sent

_ARCHIVE = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  dicom: {{ae_title: {name}, port: 0, bind: 127.0.0.1}}
destinations:
  files: {{type: folder, directory: ./files}}
routes:
  - {{name: all, to: [files]}}
"""

_ROUTER = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
  research: {{ae_title: RESEARCH, host: 127.0.0.1, port: {research}}}
routes:
  - name: clinical
    to: [pacs]
  - name: research
    when: {{StudyDescription: "*RESEARCH*"}}
    chain:
      - set: {{PatientName: "SUBJECT^{{PatientID}}", InstitutionName: "Research"}}
      - remove: [PatientBirthDate]
    to: [research]
"""


def run_demo(studies: int, slices: int, stay: bool) -> int:
    """Run it all and show what happens; returns the command's exit code."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="dicom-router-demo-") as name, ExitStack() as running:
        home = Path(name)
        ports = {}
        for archive in ("pacs", "research"):
            config = _ARCHIVE.format(name=archive.upper())
            ports[archive] = running.enter_context(_router(home / archive, config))
        port = running.enter_context(_router(home / "router", _ROUTER.format(**ports)))
        console.print(
            f"Running on 127.0.0.1: the router (ROUTER, port {port}), PACS ({ports['pacs']}) and "
            f"RESEARCH ({ports['research']}).\nTheir configurations and files: {home}\n",
            soft_wrap=True,
        )
        images = home / "modality"
        images.mkdir()
        with _progress(console) as progress:
            task = progress.add_task("generating studies", total=studies * slices)
            for _ in generate_studies(images, studies, slices):
                progress.advance(task)
        failed = _send(Peer("127.0.0.1", port, "ROUTER", "CT1"), images, console)
        complete = _watch(home, studies * slices, studies // 2 * slices, console)
        console.print(
            "\nEvery study is in PACS as it was sent; those with RESEARCH in their description are "
            "in RESEARCH under a new name."
        )
        if stay:
            path = home / "router" / "config.yaml"
            console.print(
                f"Running until Ctrl-C; then {home} is removed. To look around:\n"
                f"  {sys.argv[0]} status --config {path}\n"
                f"  {sys.argv[0]} where --accession DEMO0001 --config {path}",
                soft_wrap=True,
            )
            _until_interrupted()
        else:
            console.print("All of it is removed now; with --stay it goes on, to look around.")
    return 0 if complete and not failed else 1


@contextmanager
def _router(directory: Path, config: str) -> Iterator[int]:
    """A router process on this configuration; gives the port it listens on."""
    directory.mkdir()
    path = directory / "config.yaml"
    path.write_text(config)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "router.operate.cli", "run", str(path)], stdout=log, stderr=log
        )
    try:
        yield _port(process, directory)
    finally:
        process.terminate()
        process.wait()


def _port(process: subprocess.Popen[bytes], directory: Path) -> int:
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            [listener] = call(directory / "spool", "status")["listeners"]
            return int(listener["port"])
        except NotRunning:
            time.sleep(0.05)
    raise RuntimeError(f"a router did not start:\n{(directory / 'log').read_text()}")


def _send(peer: Peer, images: Path, console: Console) -> int:
    found, _ = scu.find_files([images])
    with _progress(console) as progress:
        task = progress.add_task("CT1 sends to ROUTER", total=len(found))
        count = scu.send(peer, found, lambda _: progress.advance(task))
    return count["failed"]


def _watch(home: Path, to_pacs: int, to_research: int, console: Console) -> bool:
    """Show how the archives fill until all has arrived; whether it did."""
    expected = {"pacs": to_pacs, "research": to_research}
    deadline = time.monotonic() + _DELIVER
    with Live(console=console, refresh_per_second=8) as live:
        while True:
            arrived = {name: _files(home / name / "files") for name in expected}
            live.update(_table(call(home / "router" / "spool", "status"), arrived, expected))
            if arrived == expected or time.monotonic() > deadline:
                return arrived == expected
            time.sleep(0.1)


def _files(directory: Path) -> int:
    return sum(path.suffix == ".dcm" for path in directory.rglob("*")) if directory.is_dir() else 0


def _table(status: dict[str, Any], arrived: dict[str, int], expected: dict[str, int]) -> Table:
    waiting = {each["destination"]: each["queued"] for each in status["summary"]["destinations"]}
    table = Table("destination", "in the queue", "arrived", "expected")
    for name in expected:
        table.add_row(name, str(waiting.get(name, 0)), str(arrived[name]), str(expected[name]))
    return table


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console)


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        return
