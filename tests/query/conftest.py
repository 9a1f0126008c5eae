"""Archives, routers and clients that are ended with the test that started them."""

import pytest

from tests.story.conftest import run_orthanc, run_router, started, storescp  # noqa: F401

from .peers import Dcmqrscp, findscu
from .site import Site


@pytest.fixture
def archive(tmp_path, started, free_port, dcmtk):  # noqa: F811
    """Start a dcmqrscp by its AE title."""

    def run(ae_title: str, *options: str, **knows: int) -> Dcmqrscp:
        peer = Dcmqrscp(tmp_path / ae_title, free_port(), ae_title, knows, options)
        started.append(peer)
        return peer.start()

    return run


@pytest.fixture
def find(tmp_path):
    def ask(port: int, *keys: str, **settings):
        return findscu(tmp_path / "answers", port, *keys, **settings)

    return ask


@pytest.fixture(scope="session")
def built(tmp_path_factory, dcmtk, free_port):
    site = Site(tmp_path_factory.mktemp("site"), free_port)
    yield site
    site.close()


@pytest.fixture
def site(built):
    """A router between requestors and scripted archives that know nothing yet."""
    built.reset()
    return built
