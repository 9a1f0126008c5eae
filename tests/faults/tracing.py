"""strace on a running router: it makes single system calls fail, or stops the process at one."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import require
from tests.story.peers import until

ATTACHED = 10  # seconds


def require_strace() -> None:
    strace = shutil.which("strace")
    works = strace and not subprocess.run([strace, "-o", "/dev/null", "true"]).returncode
    require(bool(works), "strace is not installed or may not trace")


class Strace:
    """Attached to the process and every thread of it; `injections` as strace's `-e inject=`.

    strace counts each thread's calls by themselves.
    """

    def __init__(self, process: int, log: Path, *injections: str) -> None:
        self._log = log
        log.unlink(missing_ok=True)
        calls = ",".join(sorted({each.split(":")[0] for each in injections}))
        command = ["strace", "-f", "-y", "-o", str(log), "-p", str(process), "-e", f"trace={calls}"]
        for each in injections:
            command += ["-e", f"inject={each}"]
        told = log.with_suffix(".told")
        with told.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        until(lambda: "attached" in told.read_text(), "strace attaches", ATTACHED)

    @property
    def lines(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    @property
    def stopped(self) -> bool:
        """Whether the process stands still where it was told to."""
        return any("--- stopped by SIGSTOP ---" in line for line in self.lines)

    def paths(self, call: str) -> list[tuple[str, bool]]:
        """The files that were given to a call, and whether it was made to fail, in order."""
        pattern = re.compile(rf"\b{call}\(\d+<(.*?)>.*?(INJECTED)?\)?$")
        matches = filter(None, map(pattern.search, self.lines))
        return [(match[1], match[2] is not None) for match in matches]

    def close(self) -> None:
        """Let go of the process; what was injected stays undone."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
