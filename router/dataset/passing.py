"""Bytes pushed in, kept but for those that are to pass: what a header is gathered with."""

from __future__ import annotations

import sys

PIECE = 8 * 1024  # taken at a time, so that of a big chunk that is mostly bulk little is copied
ENDLESS = sys.maxsize


class PassingBuffer:
    """`buffer` is what was kept, walked up to `position`; `missing` bytes before there passed.

    So `position` is in header coordinates, and `position + missing` in those of the data set.
    """

    def __init__(self, most: int) -> None:
        self.most = most  # bytes kept
        self.buffer = bytearray()
        self.position = 0
        self.missing = 0
        self.need = 0  # bytes the buffer must hold for `parse` to get on
        self.passing = 0  # bytes yet to come that will not be kept
        self.length = 0  # bytes pushed in

    def parse(self) -> None:
        """Walk on as far as the buffer goes; called when it holds what is needed."""
        raise NotImplementedError

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes, any number of them."""
        view = memoryview(data).cast("B")
        size, at, buffer = len(view), 0, self.buffer
        self.length += size
        while at < size:
            if self.passing:
                taken = min(self.passing, size - at)
                self._pass(taken)
            else:
                room = min(self.most, max(len(buffer) + PIECE, self.need)) - len(buffer)
                taken = min(room, size - at)
                buffer += view[at : at + taken]
                if len(buffer) >= self.need:
                    self.parse()
            at += taken

    def skip(self, length: int) -> None:
        """Count up to `passing` bytes without being given them."""
        self.length += length
        self._pass(length)

    def drop(self, length: int) -> None:
        """Let `length` bytes from the position on pass: those here, then those to come."""
        here = min(length, len(self.buffer) - self.position)
        del self.buffer[self.position : self.position + here]
        self.missing += here
        self.passing = length - here

    def _pass(self, length: int) -> None:
        self.passing -= length
        self.missing += length
        if not self.passing:
            self.parse()
