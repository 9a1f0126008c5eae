"""A crowd that says nothing, or very little, beside those who send."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from router.wire import Peer, connect
from tests.conftest import REPOSITORY
from tests.intake.station import data_set
from tests.security.crowd import DRIPPING, SILENT
from tests.security.test_leaks import CONFIG
from tests.story.peers import until
from tests.wire.peers import CT, EXPLICIT

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDERS = 4
EACH = 100


@contextmanager
def crowd(port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.security.crowd", str(port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=REPOSITORY, text=True, **pipes) as process:
        assert process.stdout.readline() == "there\n"
        yield
        process.communicate(timeout=60)
    assert process.returncode == 0


def send(port: int, sender: int) -> list[int]:
    association = connect(Peer("127.0.0.1", port, "ROUTER", f"CT{sender}"), [(CT, [EXPLICIT])])
    statuses = []
    for number in range(EACH):
        uid = f"1.2.{sender}.{number}"
        content = [data_set(SOPInstanceUID=uid)]
        statuses.append(association.store(1, CT, uid, content).status)
    association.release()
    return statuses


def test_a_silent_and_a_dripping_crowd_keep_nobody_from_sending(site):
    router, archives = site(CONFIG, "pacs")
    port = router.port("modalities")
    process = psutil.Process(router.process.pid)
    quiet = process.num_threads()
    with crowd(port):
        assert process.num_fds() > (SILENT + DRIPPING) / 2
        assert process.num_threads() <= quiet + 2
        with ThreadPoolExecutor(SENDERS) as pool:
            answers = list(pool.map(send, [port] * SENDERS, range(SENDERS)))
            assert process.num_threads() <= quiet + SENDERS + 10  # deliveries take some, too
    assert answers == [[0] * EACH] * SENDERS
    until(lambda: len(archives["pacs"].stores) == SENDERS * EACH, "all is delivered")
