"""HTTP for the status page: one thread for all connections, one that computes the answers.

h11 reads the requests. Each connection is asked once, within bounds of time and size.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    import socket

    from router.config import Web as Settings

log = logging.getLogger("router.web")

_HEAD_WITHIN = 5.0  # seconds, from the connection on
_ANSWER_WITHIN = 10.0
_TAKEN_WITHIN = 10.0
_LONGEST_HEAD = 16 * 1024
_GONE_WITHIN = 1.0
_MOST_CONNECTIONS = 128  # then the oldest goes
_MOST_ASKING = 32  # requests that wait for their answer: more are told to come again
_ALWAYS = (
    ("Connection", "close"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass(frozen=True)
class Request:
    """What is asked; `host` as the client names us, `accept` as it wants to be answered."""

    method: str
    path: str
    host: str
    accept: str


@dataclass(frozen=True)
class Answer:
    """Status, body and what it is; `more` are headers besides those of every answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    more: tuple[tuple[str, str], ...] = ()

    @classmethod
    def text(cls, status: int, text: str) -> Answer:
        return cls(status, f"{text}\n".encode())


Answering = Callable[[Request, "Settings"], Answer]

_LATER = Answer.text(503, "busy: ask again later")
_LATE = Answer.text(503, f"no answer within {_ANSWER_WITHIN:.0f} s: a disk may hang")
_FAILED = Answer.text(500, "failed: the router's log says why")


class WebServer:
    """Answers on a listening socket until it is closed; `settings` may be replaced meanwhile."""

    def __init__(self, listener: socket.socket, answer: Answering, settings: Settings) -> None:
        self.settings = settings
        self._listener = listener
        self._answer = answer
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="web-answers")
        self._connections: dict[asyncio.StreamWriter, None] = {}  # a set in order
        self._asking = 0
        self._loop = asyncio.new_event_loop()
        self._closed = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Close the socket and drop every connection."""
        with suppress(RuntimeError):  # its thread has failed
            self._loop.call_soon_threadsafe(self._closed.set_result, None)
        self._thread.join()
        self._computing.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._listen())
        finally:
            self._listener.close()
            self._loop.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, sock=self._listener, limit=_LONGEST_HEAD)
        await self._closed
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)  # for what they have aborted to be closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            oldest = next(iter(self._connections))
            del self._connections[oldest]
            oldest.transport.abort()
        self._connections[writer] = None
        try:
            if self._may_ask(writer):
                await self._converse(reader, writer)
        except (OSError, TimeoutError):
            pass  # it is gone, or too slow
        except Exception:
            log.exception("web.connection.failed")
        finally:
            self._connections.pop(writer, None)
            writer.transport.abort()

    def _may_ask(self, writer: asyncio.StreamWriter) -> bool:
        address = ip_address(writer.get_extra_info("peername")[0].partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.settings.networks)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        is_head = False
        try:
            async with asyncio.timeout(_HEAD_WITHIN):
                request = await _read(connection, reader)
            is_head = request.method == b"HEAD"
            answer = await self._answered(request)
        except h11.RemoteProtocolError as error:
            answer = Answer.text(error.error_status_hint, "this is no request that is understood")
        async with asyncio.timeout(_TAKEN_WITHIN):
            writer.transport.set_write_buffer_limits(0)  # so that drain() waits for the last byte
            writer.write(_as_bytes(connection, answer, is_head))
            await writer.drain()
        async with asyncio.timeout(_GONE_WITHIN):
            while await reader.read(_LONGEST_HEAD):
                continue  # closing now would take the answer from who is still sending

    async def _answered(self, request: h11.Request) -> Answer:
        if self._asking >= _MOST_ASKING:
            return _LATER
        self._asking += 1
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                return await self._loop.run_in_executor(
                    self._computing, self._answer, _plain(request), self.settings
                )
        except TimeoutError:
            return _LATE
        except Exception:
            log.exception("web.answer.failed")
            return _FAILED
        finally:
            self._asking -= 1


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            raise ConnectionResetError
        connection.receive_data(await reader.read(_LONGEST_HEAD))


def _plain(request: h11.Request) -> Request:
    headers = {name: value.decode("latin-1") for name, value in request.headers}
    return Request(
        request.method.decode("ascii"),
        request.target.decode("latin-1").partition("?")[0],
        headers.get(b"host", ""),
        headers.get(b"accept", ""),
    )


def _as_bytes(connection: h11.Connection, answer: Answer, is_head: bool) -> bytes:
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        *_ALWAYS,
        *answer.more,
    ]
    reason = HTTPStatus(answer.status).phrase
    response = h11.Response(status_code=answer.status, reason=reason, headers=headers)
    events: list[h11.Event] = [response]
    if not is_head:
        events.append(h11.Data(data=answer.body))
    events.append(h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)
