"""Everything a part starts: routers, peers and senders on 127.0.0.1, ended with the part."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from benchmarks.data import Data
from tests.story.peers import RunningRouter, StoreScp, until

REPOSITORY = Path(__file__).resolve().parent.parent
NODELAY = {"TCP_NODELAY": "1"}  # DCMTK's own switch; without it Nagle's algorithm is on
LONGEST = 600  # seconds one transfer may take

ONE_ROUTE = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  archive: {{ae_title: ARCHIVE, host: 127.0.0.1, port: {port}}}
routes:
  - {{name: everything, to: [archive]}}
"""


class Lab:
    """One part's: `directory` is its own, `data` is everybody's. Used in a `with`."""

    def __init__(self, directory: Path, data: Data) -> None:
        self.directory = directory
        self.data = data
        self.commands: list[str] = []
        self._started = ExitStack()

    def __enter__(self) -> "Lab":
        self.directory.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()
        shutil.rmtree(self.directory)

    def folder(self, name: str) -> Path:
        """An empty folder: nothing is ever written over."""
        folder = self.directory / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def router(self, config: str, folder: Path | None = None) -> Iterator[RunningRouter]:
        """A router on a new spool, or the one in `folder`."""
        router = RunningRouter(folder or self.folder("router"), config)
        self._note(["dicom-router", "run", str(router.config)])
        try:
            yield router.start()
        finally:
            router.close()

    def intake_router(self) -> AbstractContextManager[RunningRouter]:
        """A router whose one destination is down: it accepts, durably, and can send nothing."""
        return self.router(ONE_ROUTE.format(port=free_port()))

    def sink(self, ae_title: str, *options: str) -> StoreScp:
        """A DCMTK storescp that archives what is delivered."""
        sink = StoreScp(self.directory / ae_title, free_port(), ae_title, *options)
        self._started.callback(sink.close)
        self._note(["storescp", *sink.options, "--fork", str(sink.port)])
        return sink.start()

    @contextmanager
    def running(
        self, command: list[str], port: int, **environment: str
    ) -> Iterator[subprocess.Popen]:
        """Any other peer, which is ready when it listens on `port`."""
        self._note(command, environment)
        with (self.directory / "peers.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | environment, cwd=REPOSITORY
            )
        try:
            until(lambda: process.poll() is not None or _listens(port), f"{command[0]} listens")
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended at once")
            yield process
        finally:
            end(process)

    def send(self, port: int, folders: list[Path], **environment: str) -> float:
        """Seconds that DCMTK's storescu takes, one process and association for each folder."""
        command = ["storescu", "+sd", "-aec", "ROUTER", "-aet", "CT1", "127.0.0.1", str(port)]
        self._note([*command, "FOLDER"], environment)
        began = time.perf_counter()
        senders = [
            subprocess.Popen(
                [*command, str(folder)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=os.environ | environment,
            )
            for folder in folders
        ]
        failures = [sender.communicate(timeout=LONGEST)[1] for sender in senders]
        took = time.perf_counter() - began
        if any(sender.returncode for sender in senders):
            raise RuntimeError(f"storescu failed: {failures!r}")
        return took

    def _note(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Keep the command as somebody else would type it."""
        line = " ".join([*(f"{k}={v}" for k, v in (environment or {}).items()), *command])
        for place, name in ((self.directory, "DIR"), (sys.executable, "python")):
            line = line.replace(str(place), name)
        if line not in self.commands:
            self.commands.append(line)


def end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
