"""Disks, routers on them and their peers; all ended with the test, the disks last."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import require
from tests.story.conftest import storescp
from tests.story.peers import RunningRouter

from .disk import Disk
from .modality import Modality
from .site import CONFIG, Site
from .tracing import Strace, require_strace

__all__ = ["storescp"]


@pytest.fixture
def started():
    """Everything a test starts; closed, last first, also when some of it cannot be."""
    things = []
    yield things
    with ExitStack() as closing:
        for thing in things:
            closing.callback(thing.close)


@pytest.fixture
def make_disk(tmp_path, started):
    def make(name: str = "disk", **options) -> Disk:
        try:
            disk = Disk(tmp_path / name, **options)
        except (OSError, subprocess.CalledProcessError) as error:
            require(False, f"a filesystem of its own needs root and loop devices ({error})")
        started.append(disk)
        return disk

    return make


@pytest.fixture
def run_site(tmp_path, started, storescp, free_port):
    """A router with its spool below `spool` and its folder destinations below `folders`."""

    def run(spool: Path, folders: Path = tmp_path) -> Site:
        pacs = storescp("PACS")
        places = {"spool": spool / "spool", "folders": folders}
        config = CONFIG.format(pacs=pacs.port, port=free_port(), **places)
        directory = tmp_path / "router"
        directory.mkdir()
        router = RunningRouter(directory, config)
        router.spool = spool / "spool"
        started.append(router)
        return Site(router.start(), pacs, folders)

    return run


@pytest.fixture
def modality(started):
    def start(*arguments, **options) -> Modality:
        sender = Modality(*arguments, **options)
        started.append(sender)
        sender.start()
        return sender

    return start


@pytest.fixture
def trace(tmp_path, started):
    require_strace()

    def attach(router: RunningRouter, *injections: str) -> Strace:
        strace = Strace(router.process.pid, tmp_path / "strace.log", *injections)
        started.append(strace)
        return strace

    return attach
