"""Deflated data sets (PS3.5 A.5) as their bytes come: inflated a piece at a time, within caps."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import TYPE_CHECKING, Literal

from router.dataset.scan import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.dataset.scan import Limits

PIECE = 64 * 1024  # bytes made at a time
TAKEN = 16 * 1024  # bytes taken at a time: zlib copies what is left of them for each piece
UNCOUNTED = 16 * 1024 * 1024  # bytes before the ratio counts: blank frames deflate a thousandfold

_TRAILER = Struct("<LL")
_LONGEST = _TRAILER.size + 2  # bytes kept of what follows: a NUL more than may


class Inflater:
    """Inflates one data set pushed in as it arrives, and never raises on data.

    Memory is zlib's 32 KiB window and one piece. After a `fault` nothing more is made.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = self._made = self._checksum = 0
        self._behind = b""  # what follows the stream, as far as it can matter
        self._fault: Problem | None = None

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """What the next bytes inflate to; to be iterated over to its end."""
        view = memoryview(data).cast("B")
        for at in range(0, len(view), TAKEN):
            taken = view[at : at + TAKEN]
            if self._stream.eof:
                self._follow(taken)
            else:
                self._taken += len(taken)
                yield from self._pieces(taken)
            if self._fault:
                return

    def finish(self) -> Problem | None:
        """Why it is not the whole of a deflated data set, now that no more of it comes."""
        if not self._stream.eof:
            self._fail("truncated", "its deflate stream is cut off")
        elif self._behind not in self._harmless():
            self._fail("unwalkable", "something follows its deflate stream")
        return self._fault

    def _pieces(self, waiting: bytes | memoryview) -> Iterator[bytes]:
        piece = b""
        while waiting or len(piece) == PIECE:
            try:
                piece = self._stream.decompress(waiting, PIECE)
            except zlib.error:
                return self._fail("truncated", "it does not inflate")
            waiting = self._stream.unconsumed_tail
            self._made += len(piece)
            if self._made > self._limits.inflated:
                return self._fail("oversized", "it inflates beyond limits.inflated")
            if self._made > UNCOUNTED + self._taken * self._limits.inflated_ratio:
                return self._fail("oversized", "it inflates beyond limits.inflated_ratio")
            self._checksum = zlib.crc32(piece, self._checksum)
            yield piece
            if self._stream.eof:
                return self._follow(self._stream.unused_data)
        return None

    def _follow(self, behind: bytes | memoryview) -> None:
        self._behind += bytes(behind[: _LONGEST - len(self._behind)])

    def _harmless(self) -> Iterator[bytes]:
        """What may follow: a NUL to make the length even, and the trailer of gzip (RFC 1952 2.3.1)
        that some write. Of anything else nobody knows what it is, or whom it names.
        """
        trailer = _TRAILER.pack(self._checksum, self._made & 0xFFFFFFFF)
        for before in (b"", trailer):
            yield from (before, before + b"\0")

    def _fail(self, kind: Literal["truncated", "oversized", "unwalkable"], reason: str) -> None:
        self._fault = self._fault or Problem(kind, reason, self._made)
