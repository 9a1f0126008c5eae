"""Routers as processes of their own, and archives that keep every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.wire import Acceptor
from tests.story.peers import RunningRouter
from tests.wire.peers import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Archives = dict[str, Recorder]


@pytest.fixture
def site(tmp_path) -> Iterator[Callable[..., tuple[RunningRouter, Archives]]]:
    """`site(config, "PACS")`: a router, and archives whose ports the text has as `{PACS}`."""
    routers, acceptors = [], []

    def start(config: str, *names: str) -> tuple[RunningRouter, Archives]:
        archives = {name: Recorder() for name in names}
        for archive in archives.values():
            acceptors.append(Acceptor("127.0.0.1", 0, archive))
            acceptors[-1].start()
        for name, acceptor in zip(names, acceptors, strict=True):
            config = config.replace(f"{{{name}}}", str(acceptor.port))
        routers.append(RunningRouter(tmp_path, config))
        return routers[-1].start(), archives

    yield start
    for router in routers:
        router.close()
    for acceptor in acceptors:
        acceptor.close()
        acceptor.drain(0)
