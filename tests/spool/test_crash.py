"""Killed, or its disk failing, in the middle of accepting: what was acknowledged is there."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from router.spool import Spool
from tests.conftest import require
from tests.spool.making import META

CONTENT = b"0123456789" * 1000


def start(directory: Path, *before: str) -> subprocess.Popen[str]:
    """Another process that accepts from four threads, one printed line per acknowledgement."""
    command = [*before, sys.executable, "-m", "tests.spool.accepting_process", str(directory)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def check_recovery(directory: Path, acknowledged: set[str]) -> None:
    """Everything acknowledged is whole and queued; no file is left that no row refers to."""
    with Spool(directory) as spool:
        tasks = spool.ledger.claim("pacs", 1_000_000)
        found = {task.sop_instance_uid for task in tasks}
        assert acknowledged <= found
        paths = set()
        for task in tasks:
            (segment,) = task.segments
            assert not isinstance(segment, bytes)
            paths.add(Path(segment.path))
            kept = Path(segment.path).read_bytes()
            assert kept.rstrip(b"\0") == META + CONTENT, "zeros are what was allocated ahead"
        files = [path for path in (directory / "files").glob("*/*") if path.is_file()]
        assert set(files) == paths
        assert spool.ledger.summary().missing_files == 0


@pytest.mark.parametrize("after", [1, 17, 60, 150, 301])
def test_a_killed_router_has_what_it_acknowledged(tmp_path: Path, after: int) -> None:
    directory = tmp_path / "spool"
    with start(directory) as process:
        assert process.stdout is not None
        acknowledged = {process.stdout.readline().strip() for _ in range(after)}
        process.send_signal(signal.SIGKILL)
        acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    check_recovery(directory, acknowledged)


def can_trace() -> bool:
    strace = shutil.which("strace")
    return (
        strace is not None
        and not subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True).returncode
    )


@pytest.mark.parametrize(
    ("call", "error", "last_words"),
    [
        ("fdatasync", "EIO:when=40+", "failed"),
        ("fsync", "EIO:when=12+", "failed"),
        ("pwrite64", "EIO:when=300+", "failed"),
        ("pwrite64", "ENOSPC:when=300+", "full"),
        ("pwrite64", "EDQUOT:when=300+", "full"),
        ("writev", "ENOSPC:when=60+", "full"),
        ("writev", "EDQUOT:when=60+", "full"),
    ],
)
def test_a_failing_disk_loses_nothing_acknowledged(
    tmp_path: Path, call: str, error: str, last_words: str
) -> None:
    require(can_trace(), "strace is not installed or may not trace")
    directory = tmp_path / "spool"
    inject = ("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}")
    inject += ("-e", f"inject={call}:error={error}")
    with start(directory, *inject) as process:
        output, _ = process.communicate(timeout=60)
    *acknowledged, ended = output.split()
    assert ended == last_words
    check_recovery(directory, set(acknowledged))
