"""A site whose lanes and peers end with the test."""

import pytest

from .site import RawScp, Scp, Site


@pytest.fixture
def started():
    """Everything a test starts; closed, last first, when it ends."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


@pytest.fixture
def scp(started):
    def start(*arguments, **handlers) -> Scp:
        peer = Scp(*arguments, **handlers)
        started.append(peer)
        return peer

    return start


@pytest.fixture
def raw_scp(started):
    def start(script) -> RawScp:
        peer = RawScp(script)
        started.append(peer)
        return peer

    return start


@pytest.fixture
def site(tmp_path, started) -> Site:
    """Closed before the peers are: of a test's arguments it has to be the last."""
    made = Site(tmp_path)
    started.append(made)
    return made
