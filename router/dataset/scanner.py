"""Scanning: a data set pushed in as it arrives, or one that is already in files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from router.dataset.encoding import DEFLATED, Encoding, encoding_of
from router.dataset.inflater import Inflater
from router.dataset.scan import Bulk, Limits, Scan, Span
from router.dataset.segments import (
    FileRange,
    Segment,
    SegmentReader,
    read_segments,
    total_length,
)
from router.dataset.walker import Walker

if TYPE_CHECKING:
    from collections.abc import Sequence

READ = 16 * 1024
READ_KNOWN = 1024 * 1024
NO_LIMITS = Limits(*[2**63] * 4)


class Scanner:
    """Scans one data set pushed in as it arrives, in any chunking.

    Memory is bounded by `limits` whatever comes, bytes of bulk values cost nothing, and no data
    makes it raise: what it could not walk is the scan's `problem`.
    """

    def __init__(self, transfer_syntax: str, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._transfer_syntax = transfer_syntax
        self._walker = Walker(encoding_of(transfer_syntax), limits)
        self._inflater = Inflater(limits) if transfer_syntax in DEFLATED else None

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes, any number of them; `data` is not kept."""
        for piece in self._inflater.feed(data) if self._inflater else (data,):
            self._walker.feed(piece)

    def finish(self) -> Scan:
        """What the data set looks like, now that no more of it comes."""
        scan = _scan(self._transfer_syntax, self._walker)
        fault = self._inflater.finish() if self._inflater else None
        if fault is None or (scan.problem and fault.kind == "unwalkable"):
            return scan
        where = scan.problem.offset if scan.problem else scan.length
        return replace(scan, problem=replace(fault, offset=where))


def rescan(
    path: str, offset: int, length: int, transfer_syntax: str, bulk: Sequence[Bulk] | None = None
) -> Scan:
    """Scan the data set of `length` bytes in the file at `path`, from `offset` on.

    See `scan_segments` for `bulk`; OSError where the file cannot be read or is too short.
    """
    return scan_segments([FileRange(path, offset, length)], transfer_syntax, bulk)


def scan_segments(
    segments: Sequence[Segment], transfer_syntax: str, bulk: Sequence[Bulk] | None = None
) -> Scan:
    """Scan a data set in files, reading its bulk values neither to know them nor to skip them.

    With `bulk` from an earlier scan the header runs between are read whole; without, in small
    pieces, and the fragment headers of encapsulated values one by one. A deflated data set is
    inflated to its end, whatever that takes: who took it in has asked the limits.
    """
    if transfer_syntax in DEFLATED:
        scanner = Scanner(transfer_syntax)
        for data in read_segments(segments):
            scanner.feed(data)
        return scanner.finish()
    walker = Walker(encoding_of(transfer_syntax), Limits())
    known = {value.offset: value.length for value in bulk or ()}
    ahead = sorted(known, reverse=True)
    length, at = total_length(segments), 0
    with SegmentReader(segments) as reader:
        while at < length:
            while ahead and ahead[-1] < at:
                ahead.pop()
            if walker.passing:
                step = min(walker.passing, length - at)
                walker.skip(step)
            elif at in known and walker.skip_fragments(known[at]):
                step = known[at]
            else:
                reader.seek(at)
                until = ahead[-1] if ahead and ahead[-1] > at else length
                data = reader.read(min(until - at, READ_KNOWN if known else READ))
                walker.feed(data)
                step = len(data)
            at += step
    return _scan(transfer_syntax, walker)


def element_spans(scan: Scan, start: int, end: int, encoding: Encoding) -> list[Span]:
    """The elements of the item whose content is the header range."""
    return _inside(scan, start, end, encoding, "elements")


def item_spans(scan: Scan, start: int, end: int, encoding: Encoding) -> list[Span]:
    """The items of the sequence whose value is the header range; their `vr` is empty."""
    return _inside(scan, start, end, encoding, "items")


def _inside(
    scan: Scan, start: int, end: int, encoding: Encoding, holds: Literal["elements", "items"]
) -> list[Span]:
    walker = Walker(encoding, NO_LIMITS, holds)
    for piece in scan.pieces(start, end):
        if isinstance(piece, bytes):
            walker.feed(piece)
        elif walker.passing:
            walker.skip(piece.length)
        else:
            walker.skip_fragments(piece.length)
    walker.close()
    return [
        Span(tag, vr, begin + start, value + start, length, stop + start)
        for tag, vr, begin, value, length, stop in walker.spans
    ]


def _scan(transfer_syntax: str, walker: Walker) -> Scan:
    header = walker.close()
    return Scan(
        transfer_syntax,
        header,
        tuple(walker.bulk),
        walker.length,
        tuple(walker.spans),
        walker.problem,
    )
