"""A storage SCP that misbehaves as it is told to, one connection after the other."""

import hashlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from router.wire import Response, command
from tests.wire.peers import ABORT, RELEASE_RESPONSE, item, pdu, pdv

ASSOCIATE_RQ, P_DATA, RELEASE_RQ = 1, 4, 5
RECEIVE_BUFFER = 2048


class Gone(Exception):  # noqa: N818
    """The peer has gone, or has let go of us as it was told to."""


@dataclass(frozen=True)
class Behaviour:
    """What to do on one connection; the defaults are an SCP that does its work.

    `at`: abort instead of going on at this stage (association, command, data, response).
    `cut_after`: drop the connection after so many bytes in either direction.
    `answer`: the bytes of the response's PDU, made from the request.
    `after`: so many instances are stored as they should be before the first that is not.
    `slow`: this many bytes are read one by one, each after a pause of a second.
    """

    at: str = ""
    cut_after: int | None = None
    status: int = 0
    answer: Callable[[command.CommandSet], bytes] | None = None
    result: int = 0
    maximum_pdu: int = 16384
    after: int = 0
    slow: int = 0


class ScriptedScp:
    """Plays each of `script` to a connection, then behaves.

    `received` has the SOP Instance UIDs whose data set came whole, `answered` those that were
    answered with Success, every time; `hashes` those of the data sets that came last.
    """

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.received: list[str] = []
        self.answered: list[str] = []
        self.hashes: dict[str, str] = {}
        self._open: set[socket.socket] = set()
        self._listen(0)

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def close(self) -> None:
        """Also takes it down for a while; `start` brings it back."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def start(self) -> None:
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            behaviour = self.script.popleft() if self.script else Behaviour()
            threading.Thread(target=self._play, args=(connection, behaviour), daemon=True).start()

    def _play(self, connection: socket.socket, behaviour: Behaviour) -> None:
        self._open.add(connection)
        connection.settimeout(30)
        try:
            _Conversation(self, connection, behaviour).run()
        except (Gone, OSError):
            pass
        finally:
            self._open.discard(connection)
            connection.close()


class _Conversation:
    def __init__(self, scp: ScriptedScp, connection: socket.socket, behaviour: Behaviour) -> None:
        self._scp = scp
        self._socket = connection
        self._behaviour = behaviour
        self._passed = 0
        self._stored = 0

    def run(self) -> None:
        kind, body = self._receive()
        assert kind == ASSOCIATE_RQ
        self._abort_at("association")
        self._send(_accept(body, self._behaviour))
        while (message := self._request()) is not None:
            request, data = message
            self._scp.received.append(request.sop_instance_uid)
            self._scp.hashes[request.sop_instance_uid] = hashlib.sha256(data).hexdigest()
            self._abort_at("response")
            answer, status = self._behaviour.answer, self._behaviour.status
            if self._stored != self._behaviour.after:
                answer, status = None, 0
            self._send(answer(request) if answer else success(request, status))
            if answer is None and status >> 12 in (0, 0xB):
                self._scp.answered.append(request.sop_instance_uid)
            self._stored += 1
        self._send(RELEASE_RESPONSE)

    def _request(self) -> tuple[command.CommandSet, bytes] | None:
        """A whole C-STORE-RQ and its data set; None for a release. A C-ECHO-RQ is answered."""
        while True:
            encoded = self._message_part()
            if encoded is None:
                return None
            self._abort_at("command")
            request = command.decode(encoded)
            if request.has_data_set:
                data = self._message_part()
                self._abort_at("data")
                return request, data or b""
            self._send(success(request))

    def _message_part(self) -> bytes | None:
        """A command, or a data set; None for a release."""
        content, last = b"", False
        while not last:
            kind, body = self._receive()
            if kind == RELEASE_RQ:
                return None
            if kind != P_DATA:
                raise Gone
            while body:
                length = int.from_bytes(body[:4], "big")
                content, last = content + body[6 : 4 + length], bool(body[5] & 2)
                body = body[4 + length :]
        return content

    def _receive(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            most = min(count - len(data), RECEIVE_BUFFER)
            if self._passed < self._behaviour.slow:
                time.sleep(1)
                most = 1
            more = self._socket.recv(self._allowed(most))
            if not more:
                raise Gone
            self._passed += len(more)
            data += more
        return data

    def _send(self, data: bytes) -> None:
        allowed = self._allowed(len(data))
        self._socket.sendall(data[:allowed])
        self._passed += allowed
        if allowed < len(data):
            raise Gone

    def _allowed(self, wanted: int) -> int:
        """How many bytes may still pass before the connection is cut."""
        cut_after = self._behaviour.cut_after
        if cut_after is None:
            return wanted
        if self._passed >= cut_after:
            raise Gone
        return min(wanted, cut_after - self._passed)

    def _abort_at(self, stage: str) -> None:
        if self._behaviour.at == stage and self._stored == self._behaviour.after:
            self._socket.sendall(ABORT)
            raise Gone


def success(request: command.CommandSet, status: int = 0) -> bytes:
    return pdu(P_DATA, pdv(command.encode_response(request, Response(status)), 3))


def _accept(request: bytes, behaviour: Behaviour) -> bytes:
    """The A-ASSOCIATE-AC that takes each context with its first transfer syntax, or none."""
    answer, rest = request[:68] + item(0x10, b"1.2.840.10008.3.1.1.1"), request[68:]
    while rest:
        length = int.from_bytes(rest[2:4], "big")
        if rest[0] == 0x20:
            context, syntaxes = rest[4], rest[8 : 4 + length]
            syntax = _first_transfer_syntax(syntaxes)
            content = struct.pack(">BxBx", context, behaviour.result) + item(0x40, syntax)
            answer += item(0x21, content)
        rest = rest[4 + length :]
    limits = struct.pack(">L", behaviour.maximum_pdu)
    return pdu(2, answer + item(0x50, item(0x51, limits) + item(0x52, b"1.2.3.4")))


def _first_transfer_syntax(items: bytes) -> bytes:
    while items[0] != 0x40:
        items = items[4 + int.from_bytes(items[2:4], "big") :]
    return items[4 : 4 + int.from_bytes(items[2:4], "big")]
