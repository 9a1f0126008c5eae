"""Routers and peers that are ended with the test that started them."""

import pytest

from .peers import Orthanc, RunningRouter, StoreScp


@pytest.fixture
def started():
    """Everything a test starts; ended, last first, when it ends."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


@pytest.fixture
def run_router(tmp_path, started):
    def run(config: str, name: str = "router") -> RunningRouter:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        router = RunningRouter(directory, config)
        started.append(router)
        return router.start()

    return run


@pytest.fixture
def storescp(tmp_path, started, free_port, dcmtk):
    def run(ae_title: str, *options: str, start: bool = True) -> StoreScp:
        peer = StoreScp(tmp_path / ae_title, free_port(), ae_title, *options)
        started.append(peer)
        return peer.start() if start else peer

    return run


@pytest.fixture
def run_orthanc(tmp_path, started, free_port, orthanc):
    def run(ae_title: str) -> Orthanc:
        peer = Orthanc(tmp_path / ae_title, free_port(), free_port(), ae_title)
        started.append(peer)
        return peer.start()

    return run
