"""What every test may ask for: the shared DICOM files, real peers, free ports, bounded waiting."""

import contextlib
import itertools
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["router.testing"]

REPOSITORY = Path(__file__).resolve().parent.parent
_MOST_PORTS = 2500
_OWN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST_PORT = 20_000 + _MOST_PORTS * (_OWN % 4)
_PORTS = itertools.cycle(range(_FIRST_PORT, _FIRST_PORT + _MOST_PORTS))


def require(present: bool, missing: str) -> None:
    """Skip with a reason; where every peer is promised (`CI=true`) a skip is a failure."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing}, and CI=true allows no skipping")
    pytest.skip(missing)


@pytest.fixture(scope="session")
def data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    require(folder.is_dir(), "the shared DICOM files (../shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def dcmtk() -> None:
    require(shutil.which("storescu") is not None, "DCMTK is not installed (apt install dcmtk)")


@pytest.fixture(scope="session")
def orthanc() -> None:
    require(shutil.which("Orthanc") is not None, "Orthanc is not installed (apt install orthanc)")


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A port nothing listens on, for peers that cannot be told to use port 0.

    Below those the system gives out by itself, and other ones for each process of pytest-xdist:
    else somebody might have it before the peer does.
    """

    def find() -> int:
        for port in itertools.islice(_PORTS, _MOST_PORTS):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
        raise AssertionError("all ports were given out")

    return find


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Poll until `condition()` is true; fail after `timeout` seconds."""

    def wait(condition: Callable[[], object], timeout: float = 20, what: str = "") -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"did not happen within {timeout} s: {what or condition}")
            time.sleep(0.02)

    return wait
