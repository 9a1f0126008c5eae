"""Who is compared: each keeps what it receives on a disk that fails, and is asked what it has."""

import hashlib
import io
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom

from benchmarks.lab import ONE_ROUTE, free_port
from tests.story.peers import Orthanc, RunningRouter, StoreScp, until

NODELAY = {**os.environ, "TCP_NODELAY": "1"}


class Receiver:
    """One that writes each object to a file of `disk`; `place` is elsewhere."""

    name: str

    def __init__(self, disk: Path, place: Path) -> None:
        self.folder = disk / "received"
        self.place = place
        self.port = free_port()
        self._process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=NODELAY)
        asked = ["echoscu", "-to", "2", "127.0.0.1", str(self.port)]
        until(lambda: not subprocess.run(asked, capture_output=True).returncode, self.name)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def files(self) -> Iterator[bytes]:
        """What it would show to anybody who asks, after a restart if it needs one."""
        for path in sorted(self.folder.iterdir()):
            yield path.read_bytes()


class DcmtkScp(Receiver):
    name = "DCMTK storescp"

    def command(self) -> list[str]:
        return ["storescp", "-od", str(self.folder), str(self.port)]


class PynetdicomScp(Receiver):
    name = "pynetdicom storescp"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "pynetdicom", "storescp", str(self.port),
                "-od", str(self.folder), "-ba", "127.0.0.1"]  # fmt: skip


class OrthancServer(Receiver):
    name = "Orthanc"

    def start(self) -> None:
        self._orthanc = Orthanc(self.folder, self.port, free_port(), "ORTHANC").start()

    def kill(self) -> None:
        self._orthanc.process.kill()
        self._orthanc.process.wait()

    def files(self) -> Iterator[bytes]:
        if self._orthanc.process.poll() is not None:
            self.start()
        for instance in self._orthanc.instances():
            url = f"http://127.0.0.1:{self._orthanc.http_port}/instances/{instance}/file"
            try:
                with urllib.request.urlopen(url, timeout=60) as file:
                    yield file.read()
            except OSError:
                yield b""


class Router(Receiver):
    """Its one destination is an archive that is up only when all is over."""

    name = "dicom-router"

    def start(self) -> None:
        if self._router is None:
            config = ONE_ROUTE.format(port=self._archive.port)
            config = config.replace("./spool", str(self.folder)).replace(
                "port: 0", f"port: {self.port}"
            )
            self._router = RunningRouter(self.place, config)
            self._router.spool = self.folder
        self._router.start()

    def __init__(self, disk: Path, place: Path) -> None:
        super().__init__(disk, place)
        self._router: RunningRouter | None = None
        self._archive = StoreScp(place / "archive", free_port(), "ARCHIVE")

    def kill(self) -> None:
        self._router.kill()
        self._archive.close()

    def files(self) -> Iterator[bytes]:
        if self._router.process.poll() is not None:
            self._router.start()
        self._archive.start()
        self._router.ask("queue retry", destination="archive")
        until(self._is_idle, "everything is delivered")
        for path in self._archive.files():
            yield path.read_bytes()

    def _is_idle(self) -> bool:
        summary = self._router.ask("status")["summary"]
        return not any(each["queued"] for each in summary["destinations"])


RECEIVERS = (DcmtkScp, PynetdicomScp, OrthancServer, Router)


def contents(receiver: Receiver) -> Counter:
    """How often it has each (SOP Instance UID, hash of the pixels); ("", "") for what is broken."""
    found: Counter = Counter()
    for file in receiver.files():
        try:
            dataset = pydicom.dcmread(io.BytesIO(file))
            pixels = hashlib.sha256(dataset.PixelData).hexdigest()
            found[str(dataset.SOPInstanceUID), pixels] += 1
        except Exception:  # there are many ways to be broken
            found["", ""] += 1
    return found
