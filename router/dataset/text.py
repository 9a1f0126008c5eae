"""Reading for rules: the text of single elements straight from a scan's header."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pydicom.datadict import private_dictionary_VR

from router.dataset.charset import DEFAULT, codecs_of, decode
from router.dataset.encoding import (
    BINARY_VRS,
    PIXEL_REPRESENTATION,
    SIGNED_TAGS,
    SPECIFIC_CHARACTER_SET,
    TEXT_VRS,
    Encoding,
    encoding_of,
    implicit_vr,
    items_encoding,
    tag_text,
)
from router.dataset.scan import by_tag
from router.dataset.scanner import element_spans, item_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.dataset.paths import Path, Step
    from router.dataset.scan import Bulk, Scan, Span

NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is text, leading spaces count


def values(scan: Scan, path: Path) -> tuple[str, ...] | None:
    """The text of every value of every element `path` leads to, padding stripped.

    None: there is no such element. (): it is empty, or has no text (bulk, a sequence, binary).
    Numbers are written out, tags as (gggg,eeee), person names as stored. All items of sequences
    are searched.
    """
    found = None
    for level, span in _found(scan, path):
        found = (found or ()) + level.text(span)
    return found


def exists(scan: Scan, path: Path) -> bool:
    """Whether there is at least one element `path` leads to, empty or not."""
    return any(True for _ in _found(scan, path))


def first(scan: Scan, path: Path) -> str:
    """The first value `path` leads to, "" where there is none."""
    return next(iter(values(scan, path) or ()), "")


class Level:
    """The elements of the data set, or of one item, and what their bytes mean."""

    def __init__(
        self,
        scan: Scan,
        spans: Sequence[Span],
        encoding: Encoding,
        outside: Sequence[str],
        signed: bool = False,
    ) -> None:
        self.scan = scan
        self.spans = spans
        self.elements = scan.elements if spans is scan.spans else by_tag(spans)
        self.encoding = encoding
        self.outside = outside  # the character set where this level names none
        representation = scan.value(self.elements.get(PIXEL_REPRESENTATION))
        self.signed = 1 in representation if representation else signed

    @classmethod
    def top(cls, scan: Scan) -> Level:
        return cls(scan, scan.spans, encoding_of(scan.transfer_syntax), scan.outside)

    @property
    def codecs(self) -> Sequence[str]:
        terms = self.scan.value(self.elements.get(SPECIFIC_CHARACTER_SET))
        return codecs_of(terms.decode("ascii", "replace").split("\\")) if terms else self.outside

    def resolve(self, step: Step) -> int | None:
        """The tag of a step; of a private one the block its creator has reserved here."""
        if step.creator is None:
            return step.tag
        for block in range(0x10, 0x100):
            creator = step.tag & 0xFFFF0000 | block
            if creator in self.elements and step.creator in self.text(self.elements[creator]):
                return step.tag | block << 8
        return None

    def items(self, span: Span) -> Iterator[Level]:
        encoding = items_encoding(self.encoding, span.vr)
        for item in item_spans(self.scan, span.value, span.value + span.length, encoding):
            spans = element_spans(self.scan, item.value, item.value + item.length, encoding)
            yield Level(self.scan, spans, encoding, self.codecs, self.signed)

    def all(self) -> Iterator[Level]:
        """This level and the items of its sequences at any depth, outermost first."""
        waiting = [self]
        while waiting:
            level = waiting.pop()
            yield level
            for span in level.elements.values():
                if level.scan.is_sequence(span):
                    waiting += level.items(span)

    def bulk(self, span: Span) -> Bulk | None:
        """The value of an element, if it is kept by reference."""
        return None if span.length else self.scan.bulk_at(span.value)

    def text(self, span: Span) -> tuple[str, ...]:
        if self.scan.is_sequence(span):
            return ()
        value = self.scan.value(span)
        vr = self.vr(span)
        if vr in NUMBERS:
            return self._numbers(value, vr)
        if vr == "AT":
            halves = self._unpack(value, "H")
            return tuple(
                tag_text(int(group) << 16 | int(element))
                for group, element in zip(halves[::2], halves[1::2], strict=False)
            )
        if vr in BINARY_VRS or vr == "SQ":
            return ()
        text = decode(value, self.codecs if vr in TEXT_VRS or vr == "UN" else DEFAULT, vr)
        if vr == "UN" and not text.rstrip("\0").isprintable():
            return ()
        return _split(text, vr)

    def vr(self, span: Span) -> str:
        """The element's VR; of UN what the dictionaries know, of US the signed one where due."""
        vr = implicit_vr(span.tag) if span.vr == "UN" else span.vr
        if vr == "UN" and span.tag >> 16 & 1:
            creator = self.elements.get(span.tag & 0xFFFF0000 | span.tag >> 8 & 0xFF)
            try:
                vr = private_dictionary_VR(span.tag, *self.text(creator))[:2] if creator else vr
            except (KeyError, TypeError):  # not in the dictionary; not one creator
                return vr
        if vr == "US" and self.signed and self.encoding.implicit and span.tag in SIGNED_TAGS:
            return "SS"
        return vr

    def _numbers(self, value: bytes, vr: str) -> tuple[str, ...]:
        numbers = self._unpack(value, NUMBERS[vr])
        return tuple(_shortest(number) if vr == "FL" else str(number) for number in numbers)

    def _unpack(self, value: bytes, code: str) -> tuple[float, ...]:
        order = "<" if self.encoding.little else ">"
        count = len(value) // struct.calcsize(order + code)
        return struct.unpack_from(f"{order}{count}{code}", value)


def _found(scan: Scan, path: Path) -> Iterator[tuple[Level, Span]]:
    top = Level.top(scan)
    for level in top.all() if path.everywhere else (top,):
        yield from _find(level, path.steps)


def _find(level: Level, steps: Sequence[Step]) -> Iterator[tuple[Level, Span]]:
    tag = level.resolve(steps[0])
    span = level.elements.get(tag) if tag is not None else None
    if span is None:
        return
    if len(steps) == 1:
        yield level, span
    elif level.scan.is_sequence(span):
        for item in level.items(span):
            yield from _find(item, steps[1:])


def _split(text: str, vr: str) -> tuple[str, ...]:
    if vr in _ONE_VALUE:
        parts = [text.rstrip(" \0")]
    else:
        parts = [part.strip(" \0") for part in text.split("\\")]
    return tuple(parts) if any(parts) else ()


def _shortest(number: float) -> str:
    """A 32-bit float in the fewest digits that mean it, as written by whoever stored it."""
    for digits in range(6, 9):
        text = f"{number:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(text)))[0] == number:
            return text
    return f"{number:.9g}"
