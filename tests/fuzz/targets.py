"""What is fuzzed: each target takes any bytes, and raises where the router would be at fault."""

from __future__ import annotations

import functools
import socket
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from router.config import ConfigError, load
from router.dataset import Scanner, open_dataset, scan_segments, segments
from router.routing.routes import Routes
from router.wire import AcceptorLimits, Pace, WireError, command
from router.wire.errors import ConnectionLost, ProtocolViolation
from router.wire.limits import RECEIVE_BUFFER_MAXIMUM
from router.wire.pdv import PdvReader
from router.wire.query_commands import FIELDS, query_request, query_response
from router.wire.serving import ServedAssociation
from router.wire.stream import Stream
from tests.fuzz import seeds
from tests.routing.helpers import BEGIN, RECEIVED, association
from tests.wire.peers import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.dataset import Scan

LARGEST_HEADER = 256 * 1024


class Fed(Stream):
    """A stream that gets what it reads from a list of chunks, and then the peer is gone."""

    def __init__(self, chunks: Sequence[bytes], connection: socket.socket) -> None:
        super().__init__(connection, Pace())
        self._chunks = list(chunks)

    def receive(self) -> None:
        if not self._chunks:
            raise ConnectionLost("no more")
        chunk = self._chunks.pop(0)
        taken = chunk[: self.room]
        assert taken, "the reader asks for more and has no room for it"
        self.view[self.end : self.end + len(taken)] = taken
        self.end += len(taken)
        if len(taken) < len(chunk):
            self._chunks.insert(0, chunk[len(taken) :])


class _Reading:
    """Takes what the reader reads, and knows what has not come to an end."""

    def __init__(self) -> None:
        self.open = 0

    def begin(self, context_id: int, encoded: bytes) -> _Reading | None:
        if not command.decode(encoded).has_data_set:
            return None
        self.open += 1
        return self

    def write(self, fragments: Sequence[memoryview]) -> None:
        assert all(len(fragment) for fragment in fragments)

    def complete(self) -> None:
        self.open -= 1

    abandon = complete


def reader(data: bytes) -> None:
    """The PDU reader: only `WireError`, a bounded buffer, every message ended once."""
    step = 1 + (data[0] if data else 0) * 7
    chunks = [data[at : at + step] for at in range(1, len(data), step)]
    receiver = _Reading()
    with socket.socket() as connection:
        stream = Fed(chunks, connection)
        reading = PdvReader(stream, receiver, 16 * 1024)
        with suppress(WireError):
            while True:
                reading.read()
                assert receiver.open == reading.mid_message or not receiver.open
        reading.abandon()
    assert receiver.open == 0
    assert len(stream.buffer) <= RECEIVE_BUFFER_MAXIMUM


def commands(data: bytes) -> None:
    """Command sets: decoded or a `ProtocolViolation`; answers that can be decoded again."""
    try:
        decoded = command.decode(data)
        command.store_request(decoded, 1, "1.2.840.10008.1.2")
        answer = command.encode_response(decoded, command.Response(0xA700, decoded.text(0x0902)))
        said = command.response(command.decode(answer))
        assert said.status == 0xA700
        assert len(said.error_comment) <= 64
        query_response(command.decode(answer), None)
        if decoded.field in FIELDS:
            query_request(decoded, 1, "1.2.840.10008.1.2", b"")
    except ProtocolViolation:
        pass


def served(data: bytes) -> None:
    """A whole association, however it goes: it ends, and every store of it once."""
    service = Recorder()
    limits = AcceptorLimits(artim=2, idle=2, pace=Pace(stall=2))
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname())
        connection, address = server.accept()
    with peer:
        length = int.from_bytes(data[2:6]) + 6
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        peer.sendall(data[length : length + 48 * 1024])
        peer.shutdown(socket.SHUT_WR)
        request = data[:6].ljust(6, b"\0") + data[6:length].ljust(68, b"\0")
        ServedAssociation(connection, address, limits).serve(b"\1" + request[1:], service)
    assert len(service.endings) <= 1
    assert all(len(kept.endings) == 1 for kept in service.stores)


def scanner(data: bytes) -> None:
    """Scanning: the same in any chunks and from a file, bounded, and bytes that come back."""
    which, data = (data[0] if data else 0), data[1:]
    syntax = seeds.SYNTAXES[which % len(seeds.SYNTAXES)]
    scan = _scan(syntax, data, 1 << 20)
    assert scan == _scan(syntax, data, 1 + which % 13)
    assert scan.length == len(data)
    assert len(scan.header) <= len(data)
    assert _together(scan, data) == data
    assert scan_segments([data], syntax) == scan
    assert scan_segments([data], syntax, scan.bulk) == scan or scan.problem
    if scan.problem is None:
        _change(scan, data)


def _scan(syntax: str, data: bytes, step: int) -> Scan:
    scanning = Scanner(syntax)
    for at in range(0, len(data), step):
        scanning.feed(data[at : at + step])
    return scanning.finish()


def _together(scan: Scan, data: bytes) -> bytes:
    pieces = scan.pieces(0, len(scan.header))
    return b"".join(
        piece if isinstance(piece, bytes) else data[piece.offset : piece.offset + piece.length]
        for piece in pieces
    )


def _change(scan: Scan, data: bytes) -> None:
    """What a plugin does to it: a changed data set can be walked to its end again."""
    opened = open_dataset(scan)
    opened.PatientID = "CHANGED"
    try:
        written = segments(opened, scan, [data])
    except ValueError:  # told to whoever runs the chain, without the value
        return
    again = scan_segments(written, scan.transfer_syntax)
    assert again.problem is None, again.problem
    assert again.value(again.elements[0x00100020]).rstrip() == b"CHANGED"


@functools.cache
def _routes() -> Routes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(BEGIN + seeds.ROUTES)
        return Routes(load(path))


def matching(data: bytes) -> None:
    """Every kind of condition over any data set: never raises, and the same twice."""
    which, data = (data[0] if data else 0), data[1:]
    scan = _scan(seeds.SYNTAXES[which % len(seeds.SYNTAXES)], data, 1 << 20)
    if which & 0x80:
        scan = scan.assuming(seeds.CHARACTER_SETS[which % len(seeds.CHARACTER_SETS)])
    found = [match.route.name for match in _routes().match(association(), scan, RECEIVED)]
    again = [match.route.name for match in _routes().match(association(), scan, RECEIVED)]
    assert found == again


def conditions(data: bytes) -> None:
    """A route's `when:` as anybody may write it, over a data set: mistakes, or an answer."""
    text = data.decode("utf-8", "replace").replace("\n", "\n      ")
    routes = _loaded(f"{BEGIN}routes:\n  - name: one\n    to: pacs\n    when:\n      {text}\n")
    if routes is not None:
        routes.match(association(), seeds.scan(), RECEIVED)


def config(data: bytes) -> None:
    """A configuration of any bytes: loaded, or mistakes with a place each."""
    _loaded(data)


def _loaded(text: str | bytes) -> Routes | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(text.encode("utf-8", "replace") if isinstance(text, str) else text)
        try:
            return Routes(load(path))
        except ConfigError as error:
            assert error.mistakes
            assert all(mistake.position.line > 0 for mistake in error.mistakes)
            assert str(error)
            return None


def quietly(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """pydicom and pynetdicom warn of what they are given; a router does not show that."""

    @functools.wraps(target)
    def run(data: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target(data)

    return run


TARGETS = {
    each.__name__: quietly(each)
    for each in (reader, commands, served, scanner, matching, conditions, config)
}
