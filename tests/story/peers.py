"""Real routers and real peers, each a process of its own on loopback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from router.operate.control import NotRunning, call

DICOM_ROUTER = [sys.executable, "-m", "router.operate.cli"]
BOUND = 60  # seconds any single wait may take


class RunningRouter:
    """`dicom-router run` on a config in `directory`; its spool is `directory/spool`."""

    def __init__(self, directory: Path, config: str) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"
        self.spool = directory / "spool"
        self.config.write_text(config)
        self.log = directory / "router.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> "RunningRouter":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*DICOM_ROUTER, "run", str(self.config)], stdout=log, stderr=log
            )
        until(self._answers, f"the router does not start:\n{self.log.read_text()}")
        return self

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the router ended:\n{self.log.read_text()}")
        try:
            call(self.spool, "status")
        except NotRunning:
            return False
        return True

    def ask(self, action: str, **arguments):
        return call(self.spool, action, **arguments)

    def port(self, listener: str) -> int:
        return {each["name"]: each["port"] for each in self.ask("status")["listeners"]}[listener]

    def command(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess:
        """A `dicom-router` command about this router, as an admin would type it."""
        return subprocess.run(
            [*DICOM_ROUTER, *arguments],
            env={**os.environ, "DICOM_ROUTER_CONFIG": str(self.config)},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=check,
        )

    def stop(self, timeout: float = BOUND) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


class StoreScp:
    """DCMTK's storescp writing what it receives, bit for bit, into a folder."""

    def __init__(self, directory: Path, port: int, ae_title: str, *options: str) -> None:
        self.directory = directory
        self.port = port
        self.ae_title = ae_title
        self.options = options
        self.process: subprocess.Popen | None = None

    def start(self) -> "StoreScp":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            ["storescp", "+B", "+xa", "-aet", self.ae_title, "-od", str(self.directory)]
            + [*self.options, "--fork", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        until(self._echoes, f"storescp does not listen on {self.port}")
        return self

    def _echoes(self) -> bool:
        asked = ["echoscu", "-to", "2", "-aec", self.ae_title, "127.0.0.1", str(self.port)]
        return subprocess.run(asked, capture_output=True, timeout=BOUND).returncode == 0

    def files(self) -> list[Path]:
        return [path for path in self.directory.iterdir() if path.is_file()]

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Orthanc:
    """An Orthanc with its own storage and configuration; `instances()` asks its REST interface."""

    def __init__(
        self, directory: Path, dicom_port: int, http_port: int, ae_title: str, **settings: object
    ) -> None:
        """`settings` are of its own configuration."""
        self.directory = directory
        self._settings = settings
        self.port, self.http_port, self.ae_title = dicom_port, http_port, ae_title
        self.process: subprocess.Popen | None = None

    def start(self) -> "Orthanc":
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "orthanc.json"
        settings = {
            "Name": self.ae_title,
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "StorageDirectory": str(self.directory / "storage"),
            "IndexDirectory": str(self.directory / "storage"),
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": True,
        }
        config.write_text(json.dumps(settings | self._settings))
        with (self.directory / "orthanc.log").open("wb") as log:
            self.process = subprocess.Popen(["Orthanc", str(config)], stdout=log, stderr=log)
        until(self._answers, "Orthanc does not start")
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.get("/system") is not None
        return False

    def get(self, path: str):
        return self._ask("GET", path, None)

    def post(self, path: str, body):
        return self._ask("POST", path, body)

    def put(self, path: str, body):
        return self._ask("PUT", path, body)

    def _ask(self, method: str, path: str, body):
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.http_port}{path}"
        request = urllib.request.Request(url, content, method=method)
        with urllib.request.urlopen(request, timeout=BOUND) as page:
            return json.loads(page.read() or b"null")

    def instances(self) -> list[str]:
        return self.get("/instances")

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def until(condition, what: str, timeout: float = BOUND) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {timeout} s: {what}")
        time.sleep(0.05)


def storescu(port: int, *arguments: Path | str) -> subprocess.CompletedProcess:
    """Send with DCMTK's storescu, Nagle's algorithm off."""
    target = ["-aec", "ROUTER", "-aet", "CT1", "127.0.0.1", str(port)]
    return subprocess.run(
        ["storescu", *target, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "TCP_NODELAY": "1"},
        timeout=300,
    )
