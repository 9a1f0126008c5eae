"""The control socket: who may use it, and that nothing said to it does any harm."""

import json
import socket
import stat
import threading

import pytest

from router.operate.control import ControlError, ControlServer, NotRunning, call
from router.spool import SpoolFull


def fail(error: BaseException):
    raise error


ACTIONS = {
    "add": lambda first, second=0: first + second,
    "echo": lambda **said: said,
    "wrong": lambda: fail(ValueError("there is no destination 'x'")),
    "full": lambda: fail(SpoolFull("no space left")),
    "broken": lambda: fail(RuntimeError("Secret^Patient")),
    "missing": lambda: fail(KeyError("Secret^Patient")),
}


@pytest.fixture
def directory(tmp_path):
    server = ControlServer(tmp_path, ACTIONS)
    server.start()
    yield tmp_path
    server.close()
    assert not (tmp_path / "control.sock").exists()
    assert "control" not in {thread.name for thread in threading.enumerate()}


def test_actions_are_carried_out(directory):
    assert call(directory, "add", first=1, second=2) == 3
    assert call(directory, "echo", text="Grüße\n", nothing=None) == {
        "text": "Grüße\n",
        "nothing": None,
    }


def test_only_its_user_may_speak_to_it(directory):
    assert stat.S_IMODE((directory / "control.sock").stat().st_mode) == 0o600


def test_a_path_longer_than_a_socket_address(tmp_path):
    deep = tmp_path.joinpath(*["a-rather-long-name-of-a-directory"] * 5)
    deep.mkdir(parents=True)
    server = ControlServer(deep, ACTIONS)
    server.start()
    try:
        assert call(deep, "add", first=1) == 1
    finally:
        server.close()


def test_a_socket_that_a_crash_has_left_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    with pytest.raises(NotRunning):
        call(tmp_path, "add", first=1)
    server = ControlServer(tmp_path, ACTIONS)
    server.start()
    try:
        assert call(tmp_path, "add", first=1) == 1
    finally:
        server.close()


def test_nobody_runs(tmp_path):
    with pytest.raises(NotRunning):
        call(tmp_path, "add", first=1)
    with pytest.raises(NotRunning):
        call(tmp_path / "nowhere", "add", first=1)


def test_a_spool_that_is_no_directory_is_no_crash(tmp_path):
    (tmp_path / "spool").write_text("")
    with pytest.raises((ControlError, NotRunning)):
        call(tmp_path / "spool", "add", first=1)


@pytest.mark.parametrize(
    ("action", "arguments", "said"),
    [
        ("destroy", {}, "this router does not know the command 'destroy'"),
        ("wrong", {}, "there is no destination 'x'"),
        ("full", {}, "no space left"),
        ("broken", {}, "RuntimeError in the running router: see its log"),
        ("missing", {}, "KeyError in the running router: see its log"),
        ("add", {"third": 1}, "unexpected keyword argument 'third'"),
    ],
)
def test_what_cannot_be_done_is_said(directory, action, arguments, said):
    with pytest.raises(ControlError, match=said) as error:
        call(directory, action, **arguments)
    assert "Secret" not in str(error.value)


@pytest.mark.parametrize(
    "line", [b"\n", b"{\n", b"[]\n", b"7\n", b"null\n", b"\xff\xfe\n", b'{"action": "add"}\n']
)
def test_what_is_no_request_is_answered_and_harms_nobody(directory, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(directory / "control.sock"))
        connection.sendall(line)
        answer = connection.makefile("rb").readline()
    assert json.loads(answer) == {"error": "this is no request"}
    assert call(directory, "add", first=1) == 1


def test_many_may_ask_at_once(directory):
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(directory / "control.sock"))
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(call(directory, "add", first=n)))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    silent.close()
    assert sorted(answers) == list(range(20))
