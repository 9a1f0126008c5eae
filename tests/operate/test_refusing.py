"""Routers that cannot start or answer, and selections of what there is not: each is said so."""

import socket
import subprocess
import sys
import threading

import pytest

from router.spool import Spool

CONFIG = """
spool: {directory: ./spool, keep_free: 0}
listeners: {main: {port: 0, bind: 127.0.0.1}}
destinations: {vna: {type: folder, directory: ./vna}}
routes: [{name: all, to: vna}]
"""
NEVER_STARTS = """
from router import hookimpl

class Never:
    @hookimpl
    def startup(self, context):
        raise RuntimeError("Secret")

    @hookimpl
    def rewrite_instance(self, instance):
        pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DICOM_ROUTER_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def say(folder):
    """Run a command; its exit code and all it said."""

    def run(*arguments):
        command = [sys.executable, "-m", "router.operate.cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_plugin_that_does_not_start_stops_the_router_from_starting(say, folder):
    (folder / "never.py").write_text(NEVER_STARTS)
    (folder / "config.yaml").write_text(
        CONFIG.replace("to: vna", 'chain: "never.py:Never", to: vna')
    )
    code, said = say("run")
    assert code == 2
    assert "routes.all.chain: startup failed: RuntimeError at" in said
    assert "Secret" not in said


def test_a_spool_that_cannot_be_is_named(say, folder):
    (folder / "spool").touch()
    (folder / "config.yaml").write_text(CONFIG)
    code, said = say("run")
    assert code == 1
    assert f"not started: spool.directory {folder / 'spool'}: File exists" in said
    code, said = say("status")
    assert (code, said) == (
        1,
        f"no router runs here, and there is no spool at {folder / 'spool'} yet\n",
    )


@pytest.mark.parametrize("command", ["list", "release"])
@pytest.mark.parametrize(("kind", "there"), [("destination", "vna"), ("route", "all")])
def test_a_misspelt_name_selects_nothing_and_says_so(say, folder, command, kind, there):
    (folder / "config.yaml").write_text(CONFIG)
    with Spool(folder / "spool"):
        pass
    code, said = say("queue", command, f"--{kind}", "vnaa")
    assert (code, said) == (2, f"there is no {kind} 'vnaa'; there are: {there}\n")


@pytest.mark.parametrize("answer", [b'{"resu', b"no JSON"])
def test_a_router_that_goes_away_before_it_answers_is_told(say, folder, answer):
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "spool").mkdir()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind("spool/control.sock")
        dying.listen()

        def die():
            connection, _ = dying.accept()
            with connection:
                connection.recv(1 << 16)
                connection.send(answer)

        thread = threading.Thread(target=die)
        thread.start()
        assert say("status") == (1, "the router went away while it answered\n")
        thread.join()
