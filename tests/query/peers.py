"""Archives that can be queried, and what asks them, each a process of its own on loopback."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.story.peers import BOUND, until

NODELAY = {**os.environ, "TCP_NODELAY": "1"}


def echoes(ae_title: str, port: int) -> bool:
    asked = ["echoscu", "-to", "2", "-aec", ae_title, "127.0.0.1", str(port)]
    return subprocess.run(asked, capture_output=True, timeout=BOUND).returncode == 0


@dataclass
class Dcmqrscp:
    """DCMTK's dcmqrscp with the instances given to it; `knows` are AE titles and ports it moves to.

    `options` are its own, such as those that keep it from offering C-GET.
    """

    directory: Path
    port: int
    ae_title: str
    knows: dict[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    process: subprocess.Popen | None = None

    def start(self) -> "Dcmqrscp":
        storage = self.directory / "storage"
        storage.mkdir(parents=True, exist_ok=True)
        config = self.directory / "dcmqrscp.cfg"
        hosts = "\n".join(
            f"{name.lower()} = ({name}, 127.0.0.1, {port})" for name, port in self.knows.items()
        )
        config.write_text(
            f"NetworkTCPPort = {self.port}\nMaxPDUSize = 131072\nMaxAssociations = 64\n"
            f"HostTable BEGIN\n{hosts}\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{self.ae_title} {storage} RW (10000, 1024mb) ANY\nAETable END\n"
        )
        with (self.directory / "dcmqrscp.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["dcmqrscp", "-c", str(config), *self.options], stdout=log, stderr=log, env=NODELAY
            )
        until(
            lambda: echoes(self.ae_title, self.port),
            f"dcmqrscp does not listen on {self.port}",
        )
        return self

    def fill(self, *files: Path) -> None:
        target = ["-aec", self.ae_title, "127.0.0.1", str(self.port)]
        asked = ["storescu", "+sd", "-R", *target, *map(str, files)]
        subprocess.run(asked, check=True, capture_output=True, timeout=BOUND, env=NODELAY)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Answer:
    """What a query client got: its matches, and the last status as DCMTK names it."""

    matches: list[Dataset]
    output: str

    @property
    def status(self) -> int:
        (*_, last) = re.findall(r"DIMSE Status\s*: 0x([0-9a-f]{4})", self.output)
        return int(last, 16)

    def counts(self) -> dict[str, int]:
        """The sub-operations of the last response, as far as it states them."""
        last = self.output[self.output.rindex("Message Type") :]
        found = re.findall(r"(\w+) Suboperations\s*: (\d+|none)", last)
        return {name.lower(): int(number) for name, number in found if number != "none"}

    @property
    def comment(self) -> str:
        found = re.findall(r"\(0000,0902\) LO \[(.*?)\s*\]", self.output)
        return found[-1] if found else ""


def findscu(
    directory: Path,
    port: int,
    *keys: str,
    called: str = "ROUTER",
    calling: str = "WS1",
    model: str = "-S",
    options: tuple[str, ...] = (),
) -> Answer:
    """Ask with DCMTK's findscu; the answers are written to `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("rsp*.dcm"):
        old.unlink()
    asked = [part for key in keys for part in ("-k", key)]
    ran = subprocess.run(
        ["findscu", "-d", "-X", "-od", str(directory), model, "-aec", called, "-aet", calling]
        + [*options, *asked, "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=BOUND,
        env=NODELAY,
    )
    matches = [dcmread(path, force=True) for path in sorted(directory.glob("rsp*.dcm"))]
    return Answer(matches, ran.stdout + ran.stderr)


def movescu(
    port: int,
    *keys: str,
    to: str = "WS1",
    called: str = "ROUTER",
    calling: str = "WS1",
    model: str = "-S",
    options: tuple[str, ...] = (),
    timeout: float = BOUND,
) -> Answer:
    """Ask with DCMTK's movescu; nothing comes back on its association."""
    asked = [part for key in keys for part in ("-k", key)]
    ran = subprocess.run(
        ["movescu", "-d", model, "-aec", called, "-aet", calling, "-aem", to]
        + [*options, *asked, "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        env=NODELAY,
    )
    return Answer([], ran.stdout + ran.stderr)


def getscu(
    directory: Path,
    port: int,
    *keys: str,
    called: str = "ROUTER",
    calling: str = "WS1",
    model: str = "-S",
    options: tuple[str, ...] = (),
) -> Answer:
    """Ask with DCMTK's getscu; what comes is written, bit for bit, to `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    asked = [part for key in keys for part in ("-k", key)]
    ran = subprocess.run(
        ["getscu", "-d", "+B", "-od", str(directory), model, "-aec", called, "-aet", calling]
        + [*options, *asked, "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=BOUND,
        env=NODELAY,
    )
    return Answer([], ran.stdout + ran.stderr)
