"""Descriptors that run out, or are closed under the thread that accepts: by nobody's fault, or by
a plugin's. Whoever can be answered is answered.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

import psutil
import pytest

from router.wire import Peer, Response, WireError, connect
from tests.intake.station import data_set
from tests.story.conftest import run_router, started  # noqa: F401
from tests.story.peers import until
from tests.wire.peers import CT, EXPLICIT, IMPLICIT, VERIFICATION

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
plugins: {closes: {use: "./closes.py:Closes"}}
listeners:
  main: {port: 0, bind: 127.0.0.1, limits: {artim: 60 s}, chain: [closes]}
destinations:
  vna: {type: folder, directory: ./vna}
routes:
  - {name: all, to: [vna]}
"""
PLUGIN = '''\
"""Closes what is not its own: the connection from a port, or what waits for all of them."""

import os
import socket

from router import hookimpl


def listens(descriptor):
    with socket.socket(fileno=os.dup(descriptor)) as found:
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def comes_from(descriptor, port):
    with socket.socket(fileno=os.dup(descriptor)) as found:
        return found.family == socket.AF_INET and found.getpeername()[1] == port


def waits_for_listeners(descriptor):
    """An epoll that a listening socket is registered with."""
    with open(f"/proc/self/fdinfo/{descriptor}") as lines:
        watched = [int(line.split()[1]) for line in lines if line.startswith("tfd:")]
    return any(listens(each) for each in watched if is_a("socket:", each))


def is_a(kind, descriptor):
    return os.readlink(f"/proc/self/fd/{descriptor}").startswith(kind)


def meant(descriptor, what):
    try:
        if what.isdecimal():
            return is_a("socket:", descriptor) and comes_from(descriptor, int(what))
        return is_a("anon_inode:[eventpoll]", descriptor) and waits_for_listeners(descriptor)
    except OSError:
        return False


class Closes:
    @hookimpl
    def accept_association(self, association):
        begins, _, what = association.calling_ae_title.partition("-")
        if begins == "CLOSE":
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                if meant(descriptor, what):
                    os.close(descriptor)
'''


@pytest.fixture
def router(run_router, tmp_path):  # noqa: F811
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "closes.py").write_text(PLUGIN)
    return run_router(CONFIG)


@pytest.fixture
def silent(router):
    """Connect so many that say nothing."""
    with ExitStack() as opened:

        def connect_them(count: int) -> list[socket.socket]:
            address = "127.0.0.1", router.port("main")
            made = [socket.create_connection(address, 20) for _ in range(count)]
            return [opened.enter_context(each) for each in made]

        yield connect_them


def ask(port: int, calling: str = "CT1"):
    contexts = [(VERIFICATION, [IMPLICIT]), (CT, [EXPLICIT])]
    return connect(Peer("127.0.0.1", port, "ROUTER", calling), contexts)


def echoes(port: int, calling: str = "CT1") -> bool:
    with suppress(WireError):
        association = ask(port, calling)
        try:
            return association.echo() == Response(0)
        finally:
            association.release()
    return False


def test_out_of_descriptors_the_oldest_silent_one_goes_and_others_are_answered(router, silent):
    port, process = router.port("main"), psutil.Process(router.process.pid)
    assert echoes(port)
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 20, hard))
    crowd = silent(28)
    until(lambda: "listener.paused" in router.log.read_text(), "they have run out")
    until(lambda: echoes(port), "another one is answered")
    process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
    for each in crowd:
        each.close()

    def stores() -> bool:
        with suppress(WireError):
            association = ask(port)
            try:
                uids = {"SOPClassUID": CT, "SOPInstanceUID": "1.2.3"}
                return association.store(3, CT, "1.2.3", [data_set(**uids)]) == Response(0)
            finally:
                association.release()
        return False

    until(stores, "there are descriptors again")
    assert "listener.failed" not in router.log.read_text()
    assert router.stop() == 0


def test_a_connection_closed_under_the_thread_that_accepts_costs_no_other_its_answer(
    router, silent
):
    port = router.port("main")
    three = silent(3)
    own = [each.getsockname()[1] for each in three]
    assert echoes(port, "CT1")
    for closed in own:
        assert echoes(port, f"CLOSE-{closed}")
    more = silent(3)  # they get the numbers of what was closed, which nobody was told of
    assert all(echoes(port) for _ in range(5))
    for each in (*three, *more):
        each.close()
    assert all(echoes(port) for _ in range(5))
    assert "listener.failed" not in router.log.read_text()


def test_a_listener_that_cannot_go_on_ends_the_router_and_a_new_one_goes_on(router):
    port = router.port("main")
    with suppress(WireError):
        ask(port, "CLOSE-EPOLL").abort()
        ask(port).abort()  # until somebody comes, it is waited for as before
    assert router.process.wait(60) == 1
    assert "listener.failed" in router.log.read_text()
    assert "thread.failed thread=lobby" in router.log.read_text()
    router.start()
    assert echoes(router.port("main"))
