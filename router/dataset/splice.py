"""A changed data set as segments: what was not touched keeps its bytes, bulk stays in its file."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from router.dataset.charset import codecs_of, decode
from router.dataset.element_value import encode_value, is_same, settled
from router.dataset.encoding import (
    DEFLATED,
    ITEM,
    ITEM_DELIMITATION,
    SEQUENCE_DELIMITATION,
    TEXT_VRS,
    UNDEFINED,
    Encoding,
    encoding_of,
    items_encoding,
)
from router.dataset.opened import BulkValue, Origin, ReceivedSequence
from router.dataset.scan import Bulk
from router.dataset.segments import FileRange, Segment, cut, merge, read_segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Sequence as Many

    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset

    from router.dataset.scan import Scan, Span

Codecs: TypeAlias = tuple[str, ...]


class Kept(NamedTuple):
    """A range of the header, with the bulk values among it, that leaves as it came."""

    start: int
    end: int


Part: TypeAlias = Kept | Bulk | FileRange | bytes


def segments(dataset: Dataset, scan: Scan, source: FileRange | Many[Segment]) -> list[Segment]:
    """The data set `open_dataset(scan)` gave, with its changes, in the encoding it came in.

    `source` is where the bytes of the scanned data set are; it is returned when nothing changed.
    Elements that were only looked at keep their very bytes, and so do all others of a sequence
    or an item in which one changed. A changed (0008,0005) writes the text below it anew; group
    lengths of changed groups go. ValueError for what cannot be written, without the value.
    """
    whole: list[Segment] = [source] if isinstance(source, FileRange) else list(source)
    splicer = _Splicer(scan, whole)
    parts = splicer.level(dataset, encoding_of(scan.transfer_syntax), scan.outside)
    if parts == [Kept(0, len(scan.header))] or not (parts or scan.header):
        return whole
    if scan.transfer_syntax in DEFLATED:
        raise ValueError("it is deflated: what is to be changed has to be inflated first")
    return merge(splicer.located(parts))


class _Splicer:
    def __init__(self, scan: Scan, source: Many[Segment]) -> None:
        self.scan, self.source = scan, source

    def located(self, parts: Iterable[Part]) -> Iterator[Segment]:
        """The parts as segments: bulk values in the source, all else as bytes."""
        for part in parts:
            if isinstance(part, Kept):
                yield from self.located(self.scan.pieces(*part))
            elif isinstance(part, Bulk):
                yield from cut(self.source, part.offset, part.length)
            else:
                yield part

    def length(self, parts: Iterable[Part]) -> int:
        return sum(
            self.length(self.scan.pieces(*part))
            if isinstance(part, Kept)
            else len(part)
            if isinstance(part, bytes)
            else part.length
            for part in parts
        )

    def level(self, dataset: Dataset, encoding: Encoding, outside: Codecs) -> list[Part]:
        """The elements of a data set or item, in an `encoding`, below a character set."""
        codecs = _codecs(dataset, outside)
        origin = _origin(dataset, self.scan, encoding)
        spans = origin.spans if origin else ()
        edited = self.edited(dataset, origin, codecs) if origin else {}
        came = origin.elements if origin else {}
        new = {
            tag: self.encoded(dataset, BaseTag(tag), encoding, codecs)
            for tag in sorted(map(int, dataset.keys() - came.keys()))
            if tag & 0xFFFF  # no group length is written
        }
        for group in {tag >> 16 for tag in (*edited, *new)}:
            edited[group << 16] = []  # its length is no longer true
        return _joined(_edit(spans, edited, new))

    def edited(self, dataset: Dataset, origin: Origin, codecs: Codecs) -> dict[int, list[Part]]:
        """Of each element that came and does not leave as it did, what leaves."""
        came = origin.elements
        now = dict(dataset.items())
        looked_at = list(came)
        if codecs == origin.codecs:
            found = zip(came.items(), map(now.get, came), strict=True)
            looked_at = [tag for (tag, was), element in found if element is not was]
            looked_at += [tag for tag in origin.converted if now.get(tag) is came[tag]]
        edited = {}
        for tag in looked_at:
            span, current = origin.first[tag], now.get(tag)
            if current is None:
                edited[span.tag] = list[Part]()
                continue
            parts = self.received(dataset, current, span, origin, codecs)
            if parts != [Kept(span.start, span.end)]:
                edited[span.tag] = parts
        return edited

    def received(
        self,
        dataset: Dataset,
        current: DataElement | RawDataElement,
        span: Span,
        origin: Origin,
        codecs: Codecs,
    ) -> list[Part]:
        """What leaves for an element that came: its bytes, unless there is reason to write it."""
        kept: list[Part] = [Kept(span.start, span.end)]
        same_text = codecs == origin.codecs
        value = current.value
        if isinstance(value, ReceivedSequence) and value.is_of(origin, span):
            if same_text and not value.is_read:
                return kept
        elif isinstance(value, BulkValue):
            same = value.scan is self.scan and value.reference == self.scan.bulk_at(span.value)
            if same and span.vr == current.VR and (same_text or span.vr not in TEXT_VRS):
                return kept
        elif same_text or not self.is_encoded_text(dataset, span, origin):
            original = origin.elements[current.tag]
            if is_same(current, original, dataset, origin.codecs):
                return kept
        parts = self.encoded(dataset, BaseTag(span.tag), origin.encoding, codecs, span)
        # Such as a NaN, which is never equal to itself.
        return kept if parts == [self.scan.header[span.start : span.end]] else parts

    def is_encoded_text(self, dataset: Dataset, span: Span, origin: Origin) -> bool:
        """Whether the bytes that came mean something else in another character set."""
        value = self.scan.value(span)
        if value.isascii() and b"\x1b" not in value:
            return False
        if span.vr == "UN":  # pydicom may know better
            return settled(dataset, BaseTag(span.tag), origin.encoding.little).VR in TEXT_VRS
        return span.vr in TEXT_VRS

    def encoded(
        self,
        dataset: Dataset,
        tag: BaseTag,
        encoding: Encoding,
        codecs: Codecs,
        span: Span | None = None,
    ) -> list[Part]:
        """An element written anew; `span` is where it was, if it came with the data set."""
        element = settled(dataset, tag, encoding.little)
        value = element.value
        if isinstance(value, BulkValue):
            return self.bulk(element, value, encoding, codecs)
        if isinstance(value, Sequence):
            return self.sequence(element, value, encoding, codecs, span)
        data = encode_value(element, encoding.little, codecs, self.scan.value(span))
        length = UNDEFINED if element.is_undefined_length else len(data)
        return [encoding.header(tag, element.VR, length) + data]

    def bulk(
        self, element: DataElement, value: BulkValue, encoding: Encoding, codecs: Codecs
    ) -> list[Part]:
        if value.scan is not None and value.scan is not self.scan:
            raise ValueError(f"{element.tag} has a bulk value of another instance: copy its bytes")
        if element.VR in TEXT_VRS and value.codecs != codecs:
            text = decode(
                b"".join(read_segments(self.located([value.reference]))), value.codecs, element.VR
            )
            element = DataElement(element.tag, element.VR, text)
            data = encode_value(element, encoding.little, codecs)
            return [encoding.header(element.tag, element.VR, len(data)) + data]
        length = UNDEFINED if value.encapsulated else value.reference.length
        return [encoding.header(element.tag, element.VR, length), value.reference]

    def sequence(
        self,
        element: DataElement,
        value: Sequence,
        encoding: Encoding,
        codecs: Codecs,
        span: Span | None,
    ) -> list[Part]:
        """A sequence with those of its items that changed; `span` if it is where it came from."""
        in_place = isinstance(value, ReceivedSequence) and span is not None
        vr = span.vr if in_place and span else "SQ"
        inner = items_encoding(encoding, vr)
        content = _joined(part for item in value for part in self.item(item, inner, codecs))
        if in_place and span and content == _range(span.value, span.value + span.length):
            return [Kept(span.start, span.end)]
        if vr == "UN" or element.is_undefined_length:
            closed = [*content, inner.header(SEQUENCE_DELIMITATION, "", 0)]
            return [encoding.header(element.tag, vr, UNDEFINED), *closed]
        return [encoding.header(element.tag, vr, self.length(content)), *content]

    def item(self, item: Dataset, encoding: Encoding, codecs: Codecs) -> list[Part]:
        content = self.level(item, encoding, codecs)
        origin = _origin(item, self.scan, encoding)
        if origin and origin.item:
            span = origin.item
            if content == _range(span.value, span.value + span.length):
                return [Kept(span.start, span.end)]
        if item.is_undefined_length_sequence_item:
            closed = [*content, encoding.header(ITEM_DELIMITATION, "", 0)]
            return [encoding.header(ITEM, "", UNDEFINED), *closed]
        return [encoding.header(ITEM, "", self.length(content)), *content]


def _origin(dataset: Dataset, scan: Scan, encoding: Encoding) -> Origin | None:
    """Where a data set was read from, if its bytes there can be used."""
    origin = getattr(dataset, "_origin", None)
    usable = isinstance(origin, Origin) and origin.scan is scan and origin.encoding is encoding
    return origin if usable else None


def _codecs(dataset: Dataset, outside: Codecs) -> Codecs:
    terms = dataset.get("SpecificCharacterSet")
    if not terms:
        return outside
    many = isinstance(terms, MultiValue)  # what came may say that it is a number or a sequence
    return codecs_of([str(term) for term in terms] if many else [str(terms)])


def _range(start: int, end: int) -> list[Part]:
    return [Kept(start, end)] if start != end else []


def _edit(
    spans: Many[Span], edited: Mapping[int, list[Part]], new: Mapping[int, list[Part]]
) -> Iterator[Part]:
    """The elements that came with some of them edited and others put where their tags belong.

    A duplicate, which pydicom cannot show, goes the way of the first.
    """
    tags = [span.tag for span in spans] if edited or new else []
    # Tags may come out of order: a new one goes before the first that is higher.
    highest = list(accumulate(tags, max)) if new else []
    edits = [(bisect_right(highest, tag), False, parts) for tag, parts in new.items()]
    done = set[int]()
    for index, tag in enumerate(tags):
        if tag in edited:
            edits.append((index, True, [] if tag in done else edited[tag]))
            done.add(tag)
    at = spans[0].start if spans else 0
    end = spans[-1].end if spans else 0
    for index, in_place, parts in sorted(edits, key=itemgetter(0, 1)):
        start = spans[index].start if index < len(spans) else end
        yield from _range(at, start)
        yield from parts
        at = spans[index].end if in_place else start
    yield from _range(at, end)


def _joined(parts: Iterable[Part]) -> list[Part]:
    """The parts with kept ranges that meet made one."""
    joined: list[Part] = []
    start = end = -1  # of the kept range that goes on
    for part in parts:
        if isinstance(part, Kept) and part.start == end:
            end = part.end
            continue
        if end >= 0:
            joined.append(Kept(start, end))
        start, end = part if isinstance(part, Kept) else (-1, -1)
        if not isinstance(part, Kept):
            joined.append(part)
    if end >= 0:
        joined.append(Kept(start, end))
    return joined
