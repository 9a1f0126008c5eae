"""The order an instance leaves beside itself in its file: what the ledger is to record.

An instance is Part 10, whose preamble is free for the writer's own use (PS3.10 7.1); there it says
where its record is, which follows the data set. One sync makes both durable. At a start the
records the ledger has not seen are read, checked against the bytes they speak of, and accepted.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import zlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from router.dataset import Bulk
from router.instance import Association
from router.spool.digest import new_digest
from router.spool.records import Arrival, PlannedCopy, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREAMBLE = 128
_HEADER = struct.Struct("<8sQII")  # mark, bytes before the record, of the record, its CRC-32
_MARK = b"ROUTER 1"
_CHUNK = 1 << 20
_FIELDS = tuple(field.name for field in dataclasses.fields(Arrival))
_COPY_FIELDS = tuple(field.name for field in dataclasses.fields(PlannedCopy))
_JSON = json.JSONEncoder(default=datetime.isoformat)


def encode_record(arrival: Arrival) -> bytes:
    """All of an arrival but where it lies, which its place in the file tells."""
    values = _plain(arrival, _FIELDS)
    values |= {
        "stored": [[bulk.offset, bulk.length] for bulk in arrival.stored.bulk],
        "problem": arrival.stored.problem,
        "length": arrival.stored.length,
        "digest": arrival.digest and arrival.digest.hex(),
        "association": vars(arrival.association),
        "copies": [_plain(copy, _COPY_FIELDS) for copy in arrival.copies],
        "extent": None,
    }
    return _JSON.encode(values).encode()


def _plain(record: Arrival | PlannedCopy, fields: Iterable[str]) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies what is in it and takes ten times as long."""
    return {name: getattr(record, name) for name in fields}


def encode_header(before: int, record: bytes) -> bytes:
    """What the preamble says: the record comes `before` bytes after the instance begins."""
    return _HEADER.pack(_MARK, before, len(record), zlib.crc32(record))


def read_records(path: str, start: int) -> Iterator[Arrival]:
    """The instances in a file from `start` on; stops at the first that was not finished, as
    nothing after it was acknowledged.
    """
    with open(path, "rb") as file:
        while found := _read_record(file.fileno(), path, start):
            yield found
            assert found.extent is not None
            start = found.extent[1]


def _read_record(descriptor: int, path: str, start: int) -> Arrival | None:
    header = os.pread(descriptor, _HEADER.size, start)
    if len(header) < _HEADER.size or not header.startswith(_MARK):
        return None
    _, before, length, checksum = _HEADER.unpack(header)
    record = os.pread(descriptor, length, start + before)
    if len(record) < length or zlib.crc32(record) != checksum:
        return None
    arrival = _decode_record(record, path, (start, start + before + length), start + before)
    return arrival if arrival.digest == _digest(descriptor, arrival.stored) else None


def _decode_record(record: bytes, path: str, extent: tuple[int, int], end: int) -> Arrival:
    """The arrival whose data set is in the file up to `end`."""
    values: dict[str, Any] = json.loads(record)
    length = values.pop("length")
    bulk = tuple(Bulk(offset, size) for offset, size in values.pop("stored"))
    who = values.pop("association")
    who["started"] = datetime.fromisoformat(who["started"])
    copies: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in copy.items()}
        for copy in values.pop("copies")
    ]
    return Arrival(
        **values
        | {
            "stored": Stored(path, end - length, length, bulk, values.pop("problem")),
            "association": Association(**who),
            "received": datetime.fromisoformat(values["received"]),
            "digest": values["digest"] and bytes.fromhex(values["digest"]),
            "copies": tuple(PlannedCopy(**copy) for copy in copies),
            "move_originator": values["move_originator"] and tuple(values["move_originator"]),
            "extent": extent,
        }
    )


def _digest(descriptor: int, stored: Stored) -> bytes:
    content = new_digest()
    at, end = stored.offset, stored.offset + stored.length
    while at < end and (piece := os.pread(descriptor, min(_CHUNK, end - at), at)):
        content.update(piece)
        at += len(piece)
    return content.digest()
