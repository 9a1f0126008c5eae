"""Messages to the peer: P-DATA is scattered over the pieces that are there, nothing is joined."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

from router.wire.errors import SourceUnreadable
from router.wire.limits import FILE_WINDOW, SENT_PDU_MAXIMUM, SMALLEST_PEER_PDU
from router.wire.pdv import P_DATA_TF
from router.wire.stream import IOV_MAXIMUM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.dataset import FileRange, Segment
    from router.wire.stream import Stream

_PDU_PDV_HEADER = struct.Struct(">BxLLBB")
_PDV_HEADER_LENGTH = 6
_COMMAND = 1
_LAST = 2


def sent_pdu_length(peer_maximum: int) -> int:
    """The longest P-DATA-TF to send to a peer that states `peer_maximum` (0: no limit)."""
    if peer_maximum == 0:
        return SENT_PDU_MAXIMUM
    return max(SMALLEST_PEER_PDU, min(peer_maximum, SENT_PDU_MAXIMUM))


class MessageWriter:
    """Sends one message after another; at most 1 MiB of a file is in memory at a time."""

    def __init__(self, stream: Stream, peer_maximum_pdu: int) -> None:
        self._stream = stream
        # Fragments are even: an odd one before the last is legal but unknown to older peers.
        self._fragment = sent_pdu_length(peer_maximum_pdu) - _PDV_HEADER_LENGTH & ~1
        self._window = bytearray()
        self._views: list[bytes | memoryview] = []
        self._heed_abort = False
        self._context_id = 0
        self._kind = 0
        self._left = 0  # of the command set or data set
        self._room = 0  # of the fragment

    def send_small(
        self, context_id: int, messages: Sequence[tuple[bytes, bytes | None]], *, heed_abort: bool
    ) -> None:
        """Send several (command set, data set) that are in memory, in as few writes as it takes."""
        self._context_id = context_id
        self._heed_abort = heed_abort
        for command, data_set in messages:
            self._begin(_COMMAND, len(command))
            self._put(memoryview(command))
            if data_set is not None:
                self._begin(0, len(data_set))
                self._put(memoryview(data_set))
        self._flush()

    def send(
        self,
        context_id: int,
        command: bytes,
        data_set: Sequence[Segment] | None,
        *,
        heed_abort: bool,
    ) -> None:
        """Send a command set, and the data set it announces.

        `SourceUnreadable` with `begun` False leaves the association as it was; any other
        error is its end.
        """
        with ExitStack() as files:
            descriptors = _open(data_set or (), files)
            self._context_id = context_id
            self._heed_abort = heed_abort
            self._begin(_COMMAND, len(command))
            self._put(memoryview(command))
            if data_set is not None:
                self._begin(0, sum(map(_length, data_set)))
                for segment in data_set:
                    if isinstance(segment, bytes):
                        self._put(memoryview(segment))
                    else:
                        self._put_file(descriptors[segment.path], segment)
            self._flush()

    def _begin(self, kind: int, length: int) -> None:
        self._kind, self._left, self._room = kind, length, 0
        if not length:
            self._begin_fragment()  # an empty data set still has its last fragment

    def _begin_fragment(self) -> None:
        size = min(self._fragment, self._left)
        control = self._kind | (_LAST if size == self._left else 0)
        header = _PDU_PDV_HEADER.pack(P_DATA_TF, size + 6, size + 2, self._context_id, control)
        self._views.append(header)
        self._room = size

    def _put(self, data: memoryview) -> None:
        at, end = 0, len(data)
        while at < end:
            if not self._room:
                if len(self._views) >= IOV_MAXIMUM:
                    self._flush()
                self._begin_fragment()
            size = min(self._room, end - at)
            self._views.append(data[at : at + size])
            self._room -= size
            self._left -= size
            at += size

    def _put_file(self, descriptor: int, segment: FileRange) -> None:
        """Read, never map: a file that shrinks under a mapping kills the process."""
        size = min(segment.length, FILE_WINDOW)
        at, end = segment.offset, segment.offset + segment.length
        while at < end:
            if len(self._window) < size:
                self._flush()
                self._window = bytearray(size)
            window = memoryview(self._window)[: min(size, end - at)]
            count = _read(descriptor, window, at, segment.path)
            self._put(window[:count])
            self._flush()  # the window is used again
            at += count

    def _flush(self) -> None:
        views, self._views = self._views, []
        self._stream.send(views, heed_abort=self._heed_abort)


def _length(segment: Segment) -> int:
    return len(segment) if isinstance(segment, bytes) else segment.length


def _open(segments: Sequence[Segment], files: ExitStack) -> dict[str, int]:
    """Open every file, each once, and see that it is long enough before anything is announced."""
    descriptors: dict[str, int] = {}
    for segment in segments:
        if isinstance(segment, bytes):
            continue
        try:
            if segment.path not in descriptors:
                descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
                files.callback(os.close, descriptor)
                descriptors[segment.path] = descriptor
            size = os.fstat(descriptors[segment.path]).st_size
        except OSError as error:
            raise SourceUnreadable(f"{segment.path}: {error.strerror}", begun=False) from error
        if size < segment.offset + segment.length:
            text = f"{segment.path}: shorter than what is to be sent"
            raise SourceUnreadable(text, begun=False)
    return descriptors


def _read(descriptor: int, window: memoryview, offset: int, path: str) -> int:
    try:
        count = os.preadv(descriptor, [window], offset)
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}", begun=True) from error
    if not count:
        raise SourceUnreadable(f"{path}: became shorter while it was sent", begun=True)
    return count
