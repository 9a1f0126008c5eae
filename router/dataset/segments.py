"""A copy's bytes: pieces held in memory and ranges of files, in order, never joined in memory."""

from __future__ import annotations

import errno
import io
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes of the file at the absolute `path`, from `offset` on."""

    path: str
    offset: int
    length: int


Segment: TypeAlias = bytes | FileRange


def segment_length(segment: Segment) -> int:
    return segment.length if isinstance(segment, FileRange) else len(segment)


def total_length(segments: Iterable[Segment]) -> int:
    return sum(map(segment_length, segments))


def cut(segments: Sequence[Segment], offset: int, length: int) -> list[Segment]:
    """The `length` bytes from `offset` on, as segments; ValueError where there are not so many."""
    found: list[Segment] = []
    for segment in segments:
        size = segment_length(segment)
        take = min(size - offset, length)
        if take > 0:
            if isinstance(segment, FileRange):
                found.append(FileRange(segment.path, segment.offset + offset, take))
            else:
                found.append(segment[offset : offset + take])
            offset, length = 0, length - take
        else:
            offset -= size
        if not length:
            return found
    raise ValueError(f"the segments end {length} bytes early")


def merge(segments: Iterable[Segment]) -> list[Segment]:
    """The same bytes in as few segments as can be, without empty ones."""
    merged: list[Segment] = []
    pending: list[bytes] = []
    for segment in segments:
        if isinstance(segment, bytes):
            pending.append(segment)
            continue
        if joined := b"".join(pending):
            merged.append(joined)
        pending.clear()
        last = merged[-1] if merged else None
        if (
            isinstance(last, FileRange)
            and last.path == segment.path
            and last.offset + last.length == segment.offset
        ):
            merged[-1] = FileRange(last.path, last.offset, last.length + segment.length)
        elif segment.length:
            merged.append(segment)
    if joined := b"".join(pending):
        merged.append(joined)
    return merged


def read_segments(segments: Iterable[Segment], chunk: int = CHUNK) -> Iterator[bytes]:
    """The bytes in order, at most `chunk` at a time of each file.

    OSError where a file cannot be read or ends before its range does: never silently less.
    """
    for segment in segments:
        if isinstance(segment, bytes):
            yield segment
            continue
        with open(segment.path, "rb", buffering=0) as file:
            at, end = segment.offset, segment.offset + segment.length
            while at < end:
                piece = os.pread(file.fileno(), min(chunk, end - at), at)
                if not piece:
                    raise _ends_early(segment)
                yield piece
                at += len(piece)


class SegmentReader(io.RawIOBase):
    """The segments as one seekable, read-only file; one file of theirs is open at a time.

    Wrap it in `io.BufferedReader` for many small reads.
    """

    name = "<segments>"  # pydicom.dcmread asks every BufferedReader for it

    def __init__(self, segments: Sequence[Segment]) -> None:
        super().__init__()
        self._segments = tuple(segment for segment in segments if segment_length(segment))
        self._ends = list(accumulate(map(segment_length, self._segments)))
        self._position = 0
        self._file: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        length = self._ends[-1] if self._ends else 0
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: length}[whence]
        if base + offset < 0:
            raise ValueError("seek to before the first byte")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any writable buffer
        index = bisect_right(self._ends, self._position)
        if index == len(self._segments):
            return 0
        segment = self._segments[index]
        at = self._position - (self._ends[index] - segment_length(segment))
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._ends[index] - self._position)
        if isinstance(segment, bytes):
            view[:wanted] = segment[at : at + wanted]
            got = wanted
        else:
            got = os.preadv(self._fileno(segment.path), [view[:wanted]], segment.offset + at)
            if not got and wanted:
                raise _ends_early(segment)
        self._position += got
        return got

    def _fileno(self, path: str) -> int:
        if self._file is None or self._file.name != path:
            if self._file is not None:
                self._file.close()
            self._file = io.FileIO(path)
        return self._file.fileno()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()


def _ends_early(segment: FileRange) -> OSError:
    return OSError(
        errno.EIO, f"the file ends before byte {segment.offset + segment.length}", segment.path
    )
