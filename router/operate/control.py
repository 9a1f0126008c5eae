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
            target=self._server.serve_forever, kwargs={"poll_interval": 5}, name="control"
        )
        self._thread.daemon = True

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server.socket.close()

    def answer(self, request: bytes) -> dict[str, Any]:
        """Carry out one request line: `{"action": NAME, "arguments": {...}}`."""
        try:
            asked = json.loads(request)
            action = self._actions[asked["action"]]
            return {"result": action(**asked["arguments"])}
        except KeyError as missing:
            return {"error": f"this router does not know the command {missing}"}
        except (ValueError, TypeError, LookupError) as wrong:
            return {"error": str(wrong)}
        except Exception as failure:
            log.exception("control.failed")
            return {"error": f"{type(failure).__name__} in the running router: see its log"}


def call(directory: Path, action: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    """Have the router that runs on this spool carry out an action; returns its JSON result.

    Raises NotRunning, or ControlError with the router's own words.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT)
        try:
            with _short(directory / "control.sock") as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning from error
        line = json.dumps({"action": action, "arguments": arguments}) + "\n"
        connection.sendall(line.encode())
        with connection.makefile("rb") as answers:
            answer = json.loads(answers.readline() or b'{"error": "the router went away"}')
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["result"]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


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
