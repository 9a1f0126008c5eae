"""Identifiers: the data sets of queries, matches and retrieves, changed without decoding them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from router.dataset import (
    Attributes,
    attributes,
    open_dataset,
    parse_path,
    read_segments,
    scan_segments,
    segments,
    to_explicit,
    to_implicit,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydicom.dataset import Dataset

    from router.dataset import Path, Scan

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SYNTAXES = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)
UTF_8 = "ISO_IR 192"

CHARACTER_SET = parse_path("SpecificCharacterSet")
LEVEL = parse_path("QueryRetrieveLevel")
_SPECIFIC_CHARACTER_SET = 0x00080005
_SHORT_HEADER = struct.Struct("<HH2sH")
_IMPLICIT_HEADER = struct.Struct("<HHL")
_TAG = struct.Struct("<HH")
_LENGTH = struct.Struct("<L")
_RETRIEVE_AE_TITLE = 0x00080054
_SHORT_VRS = frozenset((b"AE", b"CS", b"DA", b"DT", b"IS", b"LO", b"PN", b"SH", b"TM", b"UI"))


@dataclass(frozen=True)
class Identifier:
    """An encoded data set that can be walked to its end; ValueError from what cannot."""

    data: bytes
    transfer_syntax: str

    @cached_property
    def scan(self) -> Scan:
        scan = scan_segments([self.data], self.transfer_syntax)
        if scan.problem is not None or scan.bulk:
            raise ValueError("an Identifier that cannot be read")
        return scan

    @property
    def attributes(self) -> Attributes:
        """Its elements as plain values."""
        return attributes(self.scan)

    def texts(self, path: Path) -> tuple[str, ...]:
        """The values of an element, none where it is missing or empty."""
        return tuple(filter(None, values(self.scan, path) or ()))

    def text(self, path: Path) -> str:
        """The first value of an element, without padding."""
        return next(iter(self.texts(path)), "")

    def has(self, tag: int) -> bool:
        return tag in self.scan.elements

    def replaced(self, changes: Mapping[int, tuple[str, str] | None]) -> Identifier:
        """With short ASCII values for elements by tag, as (VR, text); None takes one away."""
        pieces, at = [], 0
        spans = self.scan.spans
        for tag in sorted(changes):
            span = self.scan.elements.get(tag)
            if span is None:
                start = next((each.start for each in spans if each.tag > tag), len(self.data))
                end = start
            else:
                start, end = span.start, span.end
            pieces.append(self.data[at:start])
            if (change := changes[tag]) is not None:
                pieces.append(self._encoded(tag, *change))
            at = end
        pieces.append(self.data[at:])
        return Identifier(b"".join(pieces), self.transfer_syntax)

    def naming(self, ae_title: str) -> Identifier:
        """With another Retrieve AE Title, if it has one.

        Read only as far as that: a result may have tens of thousands of matches.
        """
        found = self._leading(_RETRIEVE_AE_TITLE)
        if found is None:
            there = self.has(_RETRIEVE_AE_TITLE)
            return self.replaced({_RETRIEVE_AE_TITLE: ("AE", ae_title)}) if there else self
        start, end = found
        if start == end:
            return self
        named = self._encoded(_RETRIEVE_AE_TITLE, "AE", ae_title)
        return Identifier(self.data[:start] + named + self.data[end:], self.transfer_syntax)

    def _leading(self, tag: int) -> tuple[int, int] | None:
        """Where an element of group 0008 lies, an empty range where it is not there; None where
        what comes before it has to be looked into.
        """
        data, at = self.data, 0
        explicit = self.transfer_syntax == EXPLICIT_LITTLE_ENDIAN
        while at + 8 <= len(data):
            group, element = _TAG.unpack_from(data, at)
            here = group << 16 | element
            if here > tag:
                break
            if explicit:
                if data[at + 4 : at + 6] not in _SHORT_VRS:
                    return None
                end = at + 8 + data[at + 6] + (data[at + 7] << 8)
            else:
                (length,) = _LENGTH.unpack_from(data, at + 4)
                end = at + 8 + length
            if end > len(data):
                return None
            if here == tag:
                return at, end
            at = end
        return at, at

    def _encoded(self, tag: int, vr: str, text: str) -> bytes:
        value = text.encode("ascii", "replace")
        if len(value) % 2:
            value += b"\0" if vr == "UI" else b" "
        group, element = divmod(tag, 0x10000)
        if self.transfer_syntax == IMPLICIT_LITTLE_ENDIAN:
            return _IMPLICIT_HEADER.pack(group, element, len(value)) + value
        return _SHORT_HEADER.pack(group, element, vr.encode(), len(value)) + value

    def edited(self, change: Callable[[Dataset], None]) -> Identifier:
        """As `change` leaves it; ValueError where that cannot be written."""
        dataset = open_dataset(self.scan)
        change(dataset)
        return self.of(dataset)

    def opened(self) -> Dataset:
        """The data set; `of` takes it back."""
        return open_dataset(self.scan)

    def of(self, dataset: Dataset) -> Identifier:
        """What a data set that was `opened` of this has become."""
        whole = segments(dataset, self.scan, [self.data])
        return Identifier(b"".join(read_segments(whole)), self.transfer_syntax)

    def in_syntax(self, transfer_syntax: str) -> Identifier:
        """The same in the other of `SYNTAXES`."""
        if transfer_syntax == self.transfer_syntax:
            return self
        convert = to_implicit if transfer_syntax == IMPLICIT_LITTLE_ENDIAN else to_explicit
        converted = convert(self.scan, [self.data])
        return Identifier(b"".join(read_segments(converted)), transfer_syntax)

    @property
    def character_set(self) -> tuple[str, ...]:
        """What it says its text is in."""
        return tuple(values(self.scan, CHARACTER_SET) or ())

    @property
    def is_ascii(self) -> bool:
        """Its bytes mean the same in every character set."""
        return self.data.isascii() and b"\x1b" not in self.data

    def in_character_set(self, wanted: tuple[str, ...]) -> Identifier:
        """Its text in another character set; in UTF-8 where that one does not have it all."""
        if self.is_ascii or self.character_set == wanted:
            return self
        for terms in (wanted, (UTF_8,)):
            try:
                return self.edited(lambda dataset, terms=terms: _set_terms(dataset, terms))  # type: ignore[misc]
            except ValueError:
                continue
        return self


def _set_terms(dataset: Dataset, terms: tuple[str, ...]) -> None:
    dataset.SpecificCharacterSet = list(terms) if len(terms) > 1 else "".join(terms)
