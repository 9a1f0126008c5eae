"""A scan as a pydicom data set: raw elements, sequences read when they are looked at, no bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from router.dataset.charset import DEFAULT, codecs_of
from router.dataset.encoding import (
    PIXEL_REPRESENTATION,
    SPECIFIC_CHARACTER_SET,
    Encoding,
    encoding_of,
    items_encoding,
)
from router.dataset.scan import by_tag
from router.dataset.scanner import element_spans, item_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Sequence as Many

    from router.dataset.scan import Bulk, Scan, Span
    from router.dataset.segments import FileRange


class BulkValue(bytes):
    """What stands in a data set for a value kept by reference: no bytes, but where they are.

    It may be moved to another element or item of the same data set. A `Bulk` reference is of
    `scan`; a `FileRange` is a value made since. `encapsulated`: it is a run of fragments with its
    sequence delimitation item. `codecs`: the character set of its text, if it is text.
    """

    reference: Bulk | FileRange
    encapsulated: bool
    scan: Scan | None
    codecs: tuple[str, ...]

    def __new__(
        cls,
        reference: Bulk | FileRange,
        encapsulated: bool = False,
        scan: Scan | None = None,
        codecs: tuple[str, ...] = DEFAULT,
    ) -> BulkValue:
        value = super().__new__(cls)
        value.reference, value.encapsulated = reference, encapsulated
        value.scan, value.codecs = scan, codecs
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> BulkValue:
        return self

    def __repr__(self) -> str:
        return f"<{self.reference.length} bytes kept by reference>"


@dataclass(frozen=True, eq=False)
class Origin:
    """What a data set or item was read from: to tell what has been changed since."""

    scan: Scan
    item: Span | None  # None of the data set itself
    spans: Many[Span]
    first: Mapping[int, Span]  # of duplicates, by tag
    encoding: Encoding
    codecs: tuple[str, ...]
    pixel_representation: int | None
    elements: dict[BaseTag, DataElement | RawDataElement] = field(default_factory=dict)
    converted: list[BaseTag] = field(default_factory=list)  # those of them that are not raw

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        return self


class ReceivedDataset(Dataset):
    """A pydicom data set (or item) that knows what it was read from."""

    _origin: Origin


class ReceivedSequence(Sequence):
    """A sequence whose items are read at the first look at them.

    pydicom's own reader takes 64 ms for the functional groups of 300 frames, looked at or not.
    """

    def __init__(self, origin: Origin, span: Span) -> None:
        self.origin, self.span = origin, span  # of the data set around, and in it
        self.is_undefined_length = origin.scan.has_undefined_length(span)
        self._items: list[Dataset] | None = None

    def is_of(self, origin: Origin, span: Span) -> bool:
        """Whether this is what was read from `span`, and not moved here."""
        return self.origin is origin and self.span == span

    @property
    def is_read(self) -> bool:
        return self._items is not None

    @property
    def _list(self) -> list[Dataset]:  # what pydicom's list works on
        if self._items is None:
            self._items = list(self._read())
        return self._items

    @_list.setter
    def _list(self, items: list[Dataset]) -> None:
        self._items = items

    def _read(self) -> Iterator[Dataset]:
        around, span = self.origin, self.span
        scan, encoding = around.scan, items_encoding(around.encoding, span.vr)
        for item in item_spans(scan, span.value, span.value + span.length, encoding):
            spans = element_spans(scan, item.value, item.value + item.length, encoding)
            yield _open(scan, item, spans, encoding, around.codecs, around.pixel_representation)


def open_dataset(scan: Scan) -> Dataset:
    """The scanned data set as a pydicom one; ValueError where it was not walked to its end.

    Elements are decoded when they are looked at. Values no one validates: this sets pydicom to
    read them as they are (`reading_validation_mode` IGNORE) for the whole process, because it
    warns with the value, which may name the patient, and has no setting for less.
    """
    if scan.problem is not None:
        raise ValueError(f"the data set cannot be walked to its end: {scan.problem.reason}")
    config.settings.reading_validation_mode = config.IGNORE
    encoding = encoding_of(scan.transfer_syntax)
    return _open(scan, None, scan.spans, encoding, scan.outside, None)


def _open(
    scan: Scan,
    item: Span | None,
    spans: Many[Span],
    encoding: Encoding,
    codecs: tuple[str, ...],
    pixel_representation: int | None,
) -> Dataset:
    """The data set or an item, with the character set and Pixel Representation around it."""
    first = by_tag(spans) if item else scan.elements
    if terms := scan.value(first.get(SPECIFIC_CHARACTER_SET)):
        codecs = codecs_of(terms.decode("ascii", "replace").split("\\"))
    if value := scan.value(first.get(PIXEL_REPRESENTATION)):
        pixel_representation = int(1 in value)
    origin = Origin(scan, item, spans, first, encoding, codecs, pixel_representation)
    _read_elements(origin)
    dataset = ReceivedDataset(dict(origin.elements), parent_encoding=list(codecs))
    dataset._origin = origin
    dataset.set_original_encoding(encoding.implicit, encoding.little, list(codecs))
    dataset._is_implicit_VR, dataset._is_little_endian = encoding.implicit, encoding.little
    if item is not None:
        dataset.is_undefined_length_sequence_item = scan.has_undefined_length(item)
    if pixel_representation is not None:
        dataset._pixel_rep = pixel_representation  # how pydicom hands it down to items
    return dataset


def _read_elements(origin: Origin) -> None:
    """Fill in the elements of an origin, those that are simply bytes without a call for each.

    Most of the time that opening a data set takes is spent here: calls of BaseTag and
    RawDataElement would double it.
    """
    header, elements, new = origin.scan.header, origin.elements, tuple.__new__
    implicit, little = origin.encoding.implicit, origin.encoding.little
    for span in origin.first.values():
        number, vr, _, value, length, _ = span
        tag = _tag(number)
        if not length or vr == "SQ" or vr == "UN":
            element = _element(origin, span)
            if not element.is_raw:
                origin.converted.append(tag)
            elements[tag] = element
        else:  # without a VR pydicom looks it up itself
            data, known = header[value : value + length], None if implicit else vr
            raw = (tag, known, length, data, value, implicit, little, True, False)
            elements[tag] = new(RawDataElement, raw)


_tag = lru_cache(maxsize=8192)(BaseTag)


def _element(origin: Origin, span: Span) -> DataElement | RawDataElement:
    scan, encoding, tag = origin.scan, origin.encoding, BaseTag(span.tag)
    if span.vr == "SQ" or span.vr == "UN" or not span.length:
        undefined = scan.has_undefined_length(span)
        if not span.length and (bulk := scan.bulk_at(span.value)):
            value = BulkValue(bulk, undefined, scan, origin.codecs)
            return converted(tag, span.vr, value, undefined)
        if scan.is_sequence(span):
            return converted(tag, "SQ", ReceivedSequence(origin, span), undefined)
    # Without a VR pydicom looks it up itself, and asks the private dictionary; of a public tag it
    # does not know it would warn.
    unknown = span.vr == "UN" and not tag.is_private
    vr = span.vr if unknown or not encoding.implicit else None
    value_bytes = scan.header[span.value : span.value + span.length]
    return RawDataElement(
        tag, vr, span.length, value_bytes, span.value, encoding.implicit, encoding.little
    )


def converted(tag: BaseTag, vr: str, value: object, undefined: bool) -> DataElement:
    """A pydicom element with `value` as it is."""
    element = DataElement(tag, vr, value, None, undefined, already_converted=True)
    element.VR = vr  # which the constructor takes from the dictionary for UN
    return element
