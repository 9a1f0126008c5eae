"""A native little endian data set without its VRs: what every peer has to take (PS3.5 10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_DELIMITATION,
    SEQUENCE_DELIMITATION,
    UNDEFINED,
)
from router.dataset.scanner import element_spans, item_spans
from router.dataset.segments import cut, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.dataset.scan import Bulk, Scan, Span
    from router.dataset.segments import Segment

_header = IMPLICIT_LITTLE.header
_UNDEFINED_LENGTH = UNDEFINED.to_bytes(4, "little")


def to_implicit(scan: Scan, source: Sequence[Segment]) -> list[Segment]:
    """The Explicit VR Little Endian data set at `source` in Implicit VR Little Endian.

    Every value keeps its bytes and bulk stays where it is; sequences and items get undefined
    lengths, and group lengths, which would no longer be true, go. `scan` must have no problem.
    """
    return merge(
        segment
        for part in _elements(scan, scan.spans)
        for segment in (
            [part] if isinstance(part, bytes) else cut(source, part.offset, part.length)
        )
    )


def _elements(scan: Scan, spans: Iterable[Span]) -> Iterator[bytes | Bulk]:
    for span in spans:
        if span.vr == "SQ":
            yield from _sequence(scan, span)
        elif span.tag & 0xFFFF:
            yield from _element(scan, span)


def _sequence(scan: Scan, span: Span) -> Iterator[bytes | Bulk]:
    yield _header(span.tag, "SQ", UNDEFINED)
    for item in item_spans(scan, span.value, span.value + span.length, EXPLICIT_LITTLE):
        inside = element_spans(scan, item.value, item.value + item.length, EXPLICIT_LITTLE)
        yield _header(ITEM, "", UNDEFINED)
        yield from _elements(scan, inside)
        yield _header(ITEM_DELIMITATION, "", 0)
    yield _header(SEQUENCE_DELIMITATION, "", 0)


def _element(scan: Scan, span: Span) -> Iterator[bytes | Bulk]:
    """A value with a new header; UN of undefined length holds implicit items as it is."""
    header, *rest = scan.pieces(span.start, span.end)
    assert isinstance(header, bytes)  # a bulk value comes after its element's own header
    value = [header[span.value - span.start :], *rest]
    is_undefined = scan.header[span.value - 4 : span.value] == _UNDEFINED_LENGTH
    length = sum(len(part) if isinstance(part, bytes) else part.length for part in value)
    yield _header(span.tag, span.vr, UNDEFINED if is_undefined and span.vr == "UN" else length)
    yield from value
