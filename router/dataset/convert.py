"""A native data set in another encoding: what every peer has to take (PS3.5 10.1)."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from router.dataset.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_DELIMITATION,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    SEQUENCE_DELIMITATION,
    SIGNED_TAGS,
    UNDEFINED,
    Encoding,
    encoding_of,
)
from router.dataset.scanner import element_spans, item_spans
from router.dataset.segments import cut, merge, read_segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.dataset.scan import Bulk, Scan, Span
    from router.dataset.segments import Segment

_LONGEST_SHORT = 0xFFFF
_WORDS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), "H"),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), "I"),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), "Q"),
}


def to_implicit(scan: Scan, source: Sequence[Segment]) -> list[Segment]:
    """The Explicit VR Little Endian data set at `source` in Implicit VR Little Endian.

    Every value keeps its bytes and bulk stays where it is; sequences and items get undefined
    lengths, and group lengths, which would no longer be true, go. `scan` must have no problem.
    """
    return _Conversion(scan, source, IMPLICIT_LITTLE).segments()


def to_explicit(scan: Scan, source: Sequence[Segment]) -> list[Segment]:
    """The Implicit VR Little or Explicit VR Big Endian data set in Explicit VR Little Endian.

    As `to_implicit`; VRs are looked up, and what the dictionary does not have, or is too long
    for its VR, becomes UN (PS3.5 6.2.2). Values that were big endian are swapped in memory, but
    for the data set's own Pixel Data, which is left as it is: how wide its words are only its
    description tells.
    """
    return _Conversion(scan, source, EXPLICIT_LITTLE).segments()


class _Conversion:
    def __init__(self, scan: Scan, source: Sequence[Segment], leaves: Encoding) -> None:
        self._scan, self._source = scan, source
        self._came, self._leaves = encoding_of(scan.transfer_syntax), leaves
        representation = scan.value(scan.elements.get(PIXEL_REPRESENTATION))
        self._is_signed = 1 in representation

    def segments(self) -> list[Segment]:
        return merge(
            segment
            for part in self._elements(self._scan.spans, is_top=True)
            for segment in ([part] if isinstance(part, bytes) else self._located(part))
        )

    def _located(self, bulk: Bulk) -> list[Segment]:
        return cut(self._source, bulk.offset, bulk.length)

    def _elements(self, spans: Iterable[Span], is_top: bool = False) -> Iterator[bytes | Bulk]:
        for span in spans:
            if span.vr == "SQ":
                yield from self._sequence(span)
            elif span.tag & 0xFFFF:
                yield from self._element(span, keeps_order=is_top and span.tag == PIXEL_DATA)

    def _sequence(self, span: Span) -> Iterator[bytes | Bulk]:
        scan, came, header = self._scan, self._came, self._leaves.header
        yield header(span.tag, "SQ", UNDEFINED)
        for item in item_spans(scan, span.value, span.value + span.length, came):
            inside = element_spans(scan, item.value, item.value + item.length, came)
            yield header(ITEM, "", UNDEFINED)
            yield from self._elements(inside)
            yield header(ITEM_DELIMITATION, "", 0)
        yield header(SEQUENCE_DELIMITATION, "", 0)

    def _element(self, span: Span, keeps_order: bool) -> Iterator[bytes | Bulk]:
        """A value with a new header; UN of undefined length holds implicit items as it is."""
        header, *rest = self._scan.pieces(span.start, span.end)
        assert isinstance(header, bytes)  # a bulk value comes after its element's own header
        value = [header[span.value - span.start :], *rest]
        length = sum(len(part) if isinstance(part, bytes) else part.length for part in value)
        vr = self._vr(span, length)
        is_undefined = vr == "UN" and self._scan.has_undefined_length(span)
        yield self._leaves.header(span.tag, vr, UNDEFINED if is_undefined else length)
        if self._came.little or keeps_order:
            yield from value
        else:
            yield self._swapped(value, vr)

    def _vr(self, span: Span, length: int) -> str:
        """As it came; of one that was looked up, what it is here and can be written as."""
        if not self._came.implicit:
            return span.vr
        vr = "SS" if span.vr == "US" and self._is_signed and span.tag in SIGNED_TAGS else span.vr
        is_short = len(self._leaves.header(span.tag, vr, 0)) == 8
        return "UN" if is_short and length > _LONGEST_SHORT else vr

    def _swapped(self, value: Iterable[bytes | Bulk], vr: str) -> bytes:
        content = b"".join(
            piece
            for part in value
            for piece in read_segments([part] if isinstance(part, bytes) else self._located(part))
        )
        if vr not in _WORDS:
            return content
        words = array(_WORDS[vr])
        whole = len(content) // words.itemsize * words.itemsize
        words.frombytes(content[:whole])
        words.byteswap()
        return words.tobytes() + content[whole:]
