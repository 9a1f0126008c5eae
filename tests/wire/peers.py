"""A recording service, and a peer that says exactly the bytes it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.wire import (
    AssociationRequest,
    ContextOffer,
    Rejection,
    Response,
    Session,
    StoreRequest,
    command,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass
class Kept:
    """A sink that remembers its bytes and how it ended."""

    recorder: Recorder
    request: StoreRequest
    data: bytearray = field(default_factory=bytearray)
    endings: list[str] = field(default_factory=list)
    calls: int = 0

    def write(self, fragments: Sequence[memoryview]) -> None:
        self.calls += 1
        for fragment in fragments:
            self.data += fragment
        if self.recorder.write_fails:
            raise RuntimeError("the disk is on fire")

    def finish(self) -> Response:
        self.endings.append("finished")
        if self.recorder.finish_fails:
            raise RuntimeError("the disk is on fire")
        return self.recorder.response

    def abandon(self) -> None:
        self.endings.append("abandoned")


class Recorder(Session):
    """A service whose sessions keep everything; what it answers can be set."""

    def __init__(self) -> None:
        self.response = Response(0)
        self.rejection: Rejection | None = None
        self.refusal: Response | None = None
        self.write_fails = False
        self.finish_fails = False
        self.open_fails = False
        self.answers: dict[int, str | int] = {}
        self.requests: list[AssociationRequest] = []
        self.offers: list[ContextOffer] = []
        self.stores: list[Kept] = []
        self.refused: list[StoreRequest] = []
        self.endings: list[str] = []
        self.threads: set[str] = set()
        self.turned: list[tuple[str, str]] = []

    def open(self, request: AssociationRequest) -> Rejection | Recorder:
        self.requests.append(request)
        self.threads.add(threading.current_thread().name)
        if self.open_fails:
            raise RuntimeError("no")
        return self.rejection or self

    def turned_away(self, address: str, why: str) -> None:
        self.turned.append((address, why))

    def answer(self, offer: ContextOffer) -> str | int:
        self.offers.append(offer)
        return self.answers.get(offer.context_id, offer.transfer_syntaxes[0])

    def store(self, request: StoreRequest) -> Kept | Response:
        if self.refusal is not None:
            self.refused.append(request)
            return self.refusal
        kept = Kept(self, request)
        self.stores.append(kept)
        return kept

    def ended(self, how: str) -> None:
        self.endings.append(how)


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def associate_request(
    contexts: Sequence[tuple[str, Sequence[str]]] = ((CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT])),
    *,
    maximum_pdu: int | None = 16384,
    called: bytes = b"ROUTER".ljust(16),
    calling: bytes = b"RAW".ljust(16),
    extra: bytes = b"",
    version: int = 1,
) -> bytes:
    """An A-ASSOCIATE-RQ PDU."""
    body = struct.pack(">Hxx", version) + called + calling + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    for index, (abstract_syntax, transfer_syntaxes) in enumerate(contexts):
        syntaxes = item(0x30, abstract_syntax.encode())
        syntaxes += b"".join(item(0x40, ts.encode()) for ts in transfer_syntaxes)
        body += item(0x20, struct.pack(">Bxxx", 2 * index + 1) + syntaxes)
    user = item(0x51, struct.pack(">L", maximum_pdu)) if maximum_pdu is not None else b""
    user += item(0x52, b"1.2.3.4") + extra
    body += item(0x50, user)
    return pdu(1, body)


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BxL", kind, len(body) if length is None else length) + body


def pdv(content: bytes, control: int, context_id: int = 1, length: int | None = None) -> bytes:
    length = len(content) + 2 if length is None else length
    return struct.pack(">LBB", length, context_id, control) + content


def store_command(message_id: int = 1) -> bytes:
    return command.encode_store_request(message_id, CT, "1.2.3", 0, None)


def store_message(data: bytes, message_id: int = 1, context_id: int = 1) -> bytes:
    return pdu(4, pdv(store_command(message_id), 3, context_id)) + pdu(4, pdv(data, 2, context_id))


ECHO = pdu(4, pdv(command.encode_echo_request(7, VERIFICATION), 3, context_id=3))
RELEASE_REQUEST = pdu(5, bytes(4))
RELEASE_RESPONSE = pdu(6, bytes(4))
ABORT = pdu(7, bytes(4))


class RawPeer:
    """One connection's other end, byte by byte."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.socket.settimeout(20)

    @classmethod
    def to(cls, port: int) -> RawPeer:
        return cls(socket.create_connection(("127.0.0.1", port), 20))

    @classmethod
    def associated(cls, port: int, **request: object) -> RawPeer:
        peer = cls.to(port)
        peer.send(associate_request(**request))  # type: ignore[arg-type]
        kind, _ = peer.receive()
        assert kind == 2
        return peer

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                break
            data += more
        return data

    def receive(self) -> tuple[int, bytes]:
        """The next PDU as (type, body); (0, b"") when the connection is closed."""
        try:
            header = self.exactly(6)
        except ConnectionError:
            header = b""
        if not header:
            return 0, b""
        kind, length = struct.unpack(">BxL", header)
        return kind, self.exactly(length)

    def response(self) -> command.CommandSet:
        kind, body = self.receive()
        assert kind == 4, kind
        return command.decode(body[6:])

    def status(self) -> int | None:
        return self.response().number(0x0900)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
