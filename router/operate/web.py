"""The port that the status page and the metrics are had from; off unless `web` says where."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.config import Web as Settings
    from router.operate.node import Node
    from router.operate.web_server import WebServer

log = logging.getLogger("router.web")

_BACKLOG = 64


class Web:
    """One port at most, kept while its address stays; nothing is imported or started without."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._settings: Settings | None = None
        self._socket: socket.socket | None = None
        self._port = 0
        self._server: WebServer | None = None
        self._lock = threading.RLock()
        self._over = False
        self.missing = ""  # why there is none though there should be

    @property
    def address(self) -> str:
        """Where somebody on this machine finds the page; empty without it."""
        settings, port = self._settings, self._port
        if settings is None or not port:
            return ""
        bind = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)
        return f"http://{f'[{bind}]' if ':' in bind else bind}:{port}/"

    def open(self, settings: Settings | None) -> socket.socket | None:
        """The socket for what a configuration asks for, to be `follow`ed or closed; None where
        that needs no new one. Raises OSError, which says that it cannot be had.
        """
        if settings is None or _place(settings) == _place(self._settings):
            return None
        beside = self._socket if self._port == settings.port else None
        try:
            return _listening(settings, beside)
        except OSError as error:
            raise _explained(error, settings) from error

    def follow(self, settings: Settings | None, opened: socket.socket | None) -> None:
        """Answer as this configuration says; on what was opened, if it was."""
        with self._lock:
            if settings is None or opened is not None:
                self._end()
            self._settings = settings
            if settings is not None and opened is not None:
                self._begin(settings, opened)
            elif settings is not None and self._server is not None:
                self._server.settings = settings

    def try_to_open(self, settings: Settings | None) -> None:
        """Begin, or try again: a port that somebody else has keeps no router from running."""
        with self._lock:
            if settings is None or self._server is not None or self._over:
                return
            self._settings = settings
            try:
                self._begin(settings, _listening(settings))
            except OSError as error:
                why = str(_explained(error, settings))
                if why != self.missing:
                    log.error("web.missing reason=%s", why)
                self.missing = why

    def close(self) -> None:
        """Answer nobody any more."""
        with self._lock:
            self._over = True
            self._end()

    def _begin(self, settings: Settings, listener: socket.socket) -> None:
        from router.operate.web_answers import Answers  # only now: few libraries are so large
        from router.operate.web_server import WebServer

        self._socket = listener
        self._port = listener.getsockname()[1]
        self._server = WebServer(listener, Answers(self._node), settings)
        self._server.start()
        self.missing = ""
        log.info("web.opened address=%s", self.address)

    def _end(self) -> None:
        self._port = 0
        if self._server is not None:
            self._server.close()
        self._server = self._socket = None
        self.missing = ""


def _place(settings: Settings | None) -> tuple[str, int] | None:
    return None if settings is None else (settings.bind, settings.port)


def _explained(error: OSError, settings: Settings) -> OSError:
    why = (error.strerror or "").partition(" (")[0]
    return OSError(f"web cannot listen on {settings.bind} port {settings.port}: {why}")


def _listening(settings: Settings, beside: socket.socket | None = None) -> socket.socket:
    """`beside` is one at the same port that goes when this one is there."""
    shared = beside is not None and hasattr(socket, "SO_REUSEPORT")
    if beside is not None and shared:
        beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return socket.create_server(
        (settings.bind, settings.port),
        family=socket.AF_INET6 if ":" in settings.bind else socket.AF_INET,
        backlog=_BACKLOG,
        reuse_port=shared,
        dualstack_ipv6=settings.bind == "::",
    )
