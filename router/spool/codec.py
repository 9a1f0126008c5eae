"""How values lie in the database: compact, without the spool's own place in any path."""

from __future__ import annotations

import json
import os
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.dataset import Bulk, FileRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.dataset import Segment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

WORKSPACES = "workspace"  # SPOOL/workspace/COPY: files made by that copy's chain

_BULK = struct.Struct("<QQ")
_SEGMENT = struct.Struct("<cI")  # kind, length of what follows (the bytes, or the path)
_RANGE = struct.Struct("<QQ")
_BYTES, _FILE = b"B", b"F"


def to_microseconds(time: datetime) -> int:
    """Since 1970 UTC; exact, which `datetime.timestamp` is not."""
    return (time - EPOCH) // MICROSECOND


def from_microseconds(value: int) -> datetime:
    return EPOCH + value * MICROSECOND


def optional_time(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)


def now_microseconds(now: datetime | None = None) -> int:
    return to_microseconds(now or datetime.now(UTC))


def encode_names(names: Sequence[str]) -> str:
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def decode_names(text: str | None) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def encode_bulk(bulk: Sequence[Bulk]) -> bytes:
    return b"".join(_BULK.pack(value.offset, value.length) for value in bulk)


def decode_bulk(data: bytes) -> tuple[Bulk, ...]:
    return tuple(Bulk(offset, length) for offset, length in _BULK.iter_unpack(data))


class Paths:
    """Paths as stored: relative to the spool's directory, so that the spool may be moved."""

    def __init__(self, root: str) -> None:
        self._prefix = root.rstrip("/") + "/"
        self._workspaces = self._prefix + WORKSPACES + "/"

    def relative(self, path: str) -> str:
        return path.removeprefix(self._prefix)

    def absolute(self, path: str) -> str:
        return path if path.startswith("/") else self._prefix + path

    def encode_segments(self, segments: Sequence[Segment]) -> bytes:
        parts: list[bytes] = []
        for segment in segments:
            if isinstance(segment, FileRange):
                path = self.relative(segment.path).encode()
                parts += (_SEGMENT.pack(_FILE, len(path)), path)
                parts.append(_RANGE.pack(segment.offset, segment.length))
            else:
                parts += (_SEGMENT.pack(_BYTES, len(segment)), segment)
        return b"".join(parts)

    def decode_segments(self, data: bytes) -> tuple[Segment, ...]:
        segments: list[Segment] = []
        position = 0
        while position < len(data):
            kind, length = _SEGMENT.unpack_from(data, position)
            start = position + _SEGMENT.size
            position = start + length
            content = data[start:position]
            if kind == _BYTES:
                segments.append(content)
                continue
            segments.append(
                FileRange(self.absolute(content.decode()), *_RANGE.unpack_from(data, position))
            )
            position += _RANGE.size
        return tuple(segments)

    def workspace_directories(self, segments: Sequence[Segment]) -> set[str]:
        """The directories whose names the files made by a chain depend on."""
        directories: set[str] = set()
        for segment in segments:
            if isinstance(segment, FileRange) and segment.path.startswith(self._workspaces):
                directories.update((self._workspaces, os.path.dirname(segment.path)))
        return directories
