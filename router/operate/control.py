"""The control socket: commands about a running router reach it here, one JSON line each way."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Action = Callable[..., Any]

log = logging.getLogger("router.control")

_LONGEST_REQUEST = 1 << 20
_TIMEOUT = 60.0  # seconds; a queue of millions is listed or retried well within it
_LONGER = {"doctor": 3600.0, "reload": 600.0, "rollback": 600.0}


class WrongUsage(ValueError):  # noqa: N818
    """What was asked for is not there or makes no sense: the command ends with 2."""


class ControlError(Exception):
    """The running router could not carry out the command; the text says why."""


class NotRunning(Exception):  # noqa: N818
    """No router answers on this spool's control socket."""


class ControlServer:
    """Answers commands on SPOOL/control.sock (0600), each in a thread of its own."""

    def __init__(self, directory: Path, actions: Mapping[str, Action]) -> None:
        self._actions = actions
        self._path = directory / "control.sock"
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # the spool's lock says that nobody answers on it
        handler = _handler(self.answer)
        with _short(self._path) as address:
            # The socket takes its mode from the umask at bind(); chmod afterwards leaves a gap.
            before = os.umask(0o177)
            try:
                self._server = _Server(address, handler)
            finally:
                os.umask(before)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.5}, name="control"
        )
        self._thread.daemon = True

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: bytes) -> dict[str, Any]:
        """Carry out one request line: `{"action": NAME, "arguments": {...}}`."""
        from router.spool import SpoolError  # here, since who only asks is not to wait for it

        try:
            asked = json.loads(request)
            action, arguments = asked["action"], asked["arguments"]
        except (ValueError, TypeError, LookupError):
            return {"error": "this is no request"}
        if action not in self._actions:
            return {"error": f"this router does not know the command {action!r}"}
        try:
            return {"result": self._actions[action](**arguments)}
        except (SpoolError, ValueError, TypeError) as wrong:
            return {"error": str(wrong), "wrong_usage": isinstance(wrong, WrongUsage)}
        except Exception as failure:
            log.exception("control.failed")
            return {"error": f"{type(failure).__name__} in the running router: see its log"}


def call(directory: Path, action: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    """Have the router that runs on this spool carry out an action; returns its JSON result.

    Raises NotRunning, or WrongUsage or ControlError with the router's own words.
    """
    patience = _LONGER.get(action, _TIMEOUT)
    line = json.dumps({"action": action, "arguments": arguments}) + "\n"
    try:
        answer = json.loads(_converse(directory / "control.sock", line.encode(), patience))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NotRunning from error
    except OSError as error:
        why = error.strerror or f"no answer within {patience:.0f} s"
        raise ControlError(f"cannot speak to the router on {directory}: {why}") from error
    except ValueError as error:
        raise ControlError("the router went away while it answered") from error
    if "error" in answer:
        raise (WrongUsage if answer.get("wrong_usage") else ControlError)(answer["error"])
    return answer["result"]


def _converse(path: Path, line: bytes, patience: float) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        with _short(path) as address:
            connection.connect(address)
        connection.sendall(line)
        with connection.makefile("rb") as answers:
            return answers.readline() or b'{"error": "the router went away"}'


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128  # of 5, more commands at once are turned away


def _handler(answer: Callable[[bytes], dict[str, Any]]) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = _TIMEOUT

        def handle(self) -> None:
            request = self.rfile.readline(_LONGEST_REQUEST)
            if request:
                self.wfile.write(json.dumps(answer(request), default=str).encode() + b"\n")

    return Handler


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for a Unix socket whose path may be longer than the 108 bytes the kernel takes."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
