"""Associations that come to nothing leave nothing behind."""

from __future__ import annotations

import psutil
import pytest

from router.wire import Peer, connect
from tests.security import hostile
from tests.story.peers import until
from tests.wire.peers import IMPLICIT, VERIFICATION

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  modalities:
    {ae_title: ROUTER, port: 0, bind: 127.0.0.1, limits: {requests_per_minute: 1000000}}
destinations: {pacs: {ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
routes: [{name: all, to: [pacs]}]
"""
MIB = 1024**2
PAGE_CACHE = 64  # MiB that the ledger's SQLite may fill with what was refused, and then no more
WARM = 800  # associations after which everything is loaded that ever will be


def fail(site, count: int) -> float:
    """MiB that the router's memory grew by over so many failed associations."""
    router, _ = site(CONFIG, "pacs")
    port = router.port("modalities")
    process = psutil.Process(router.process.pid)
    hostile.associations(port, WARM, seed=1)
    until(lambda: process.num_threads() <= 40, "the first ones' threads have ended")
    threads, descriptors = process.num_threads(), process.num_fds()
    memory = process.memory_info().rss
    hostile.associations(port, count, seed=2)
    until(lambda: process.num_threads() <= threads + 1, "no thread is left of them")
    until(lambda: process.num_fds() <= descriptors + 2, "no descriptor is left of them")
    association = connect(Peer("127.0.0.1", port, "ROUTER", "CT1"), [(VERIFICATION, [IMPLICIT])])
    assert association.echo().status == 0
    association.release()
    log = router.log.read_text()
    assert "crashed" not in log
    assert "service_failed" not in log
    assert "store.failed" not in log
    return (process.memory_info().rss - memory) / MIB


def test_two_thousand_failed_associations_leave_nothing(site):
    assert fail(site, 2000) < 12


@pytest.mark.soak
def test_a_hundred_thousand_failed_associations_leave_nothing(site):
    assert fail(site, 100_000) < PAGE_CACHE / 2
