"""What is searched for in what leaves: each identifying value in every way it may be written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from .identifiers import (
    Identifiers,
    is_ordinary,
    is_telling_id,
    is_telling_name,
    name_parts,
    spellings,
)
from .profile import FULL_DATES, MODIFIED_DATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ESCAPES = re.compile(rb"\x1b[$()\x2d-\x2f]{1,2}[@-~]")
_BETWEEN = ("", " ", "^", ", ", ",", "_", "-", ".")
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_WORD = re.compile(r"[^\W_]+")
_SEVERAL_WORDS = re.compile(r"[^\W\d_]+(?:[-'’.][^\W\d_]+)+")
_LONG_WORD = re.compile(r"[^\W_]{4,}")
_LONG_NUMBER = re.compile(r"(?<![^\W_])\d{5,}(?![^\W_])")
_DIGITS = re.compile(r"[\d.]+")
_NUMERIC_VRS = frozenset({"AS", "DA", "DS", "DT", "IS", "TM", "UI"})
_LONG = 6


@dataclass(frozen=True)
class Needle:
    """A text of the element `tag`; in elements of the VRs `not_in` it means something else."""

    tag: int
    text: str
    not_in: frozenset[str] = frozenset()
    is_date: bool = False

    @property
    def is_unspaced(self) -> bool:
        """Whether it is in a script without spaces, in which nothing tells a whole token."""
        return not self.text[0].isascii() and self.text[0].lower() == self.text[0].upper()

    @property
    def pattern(self) -> re.Pattern[str]:
        """The text as a whole token; of a date a time may follow."""
        escaped = re.escape(self.text)
        if self.is_unspaced:
            return re.compile(escaped)
        after = r"(?!\d(?!\d{3}))" if self.is_date else r"(?![^\W_])"
        return re.compile(rf"(?<![^\W_]){escaped}{after}", re.IGNORECASE)

    def encoded(self, codecs: Iterable[str]) -> set[bytes]:
        """The text as bytes, in small ASCII letters, of every character set and of UTF-16."""
        made = {_narrow(self.text.encode("utf-16-le")[:-1])} if len(self.text) > 3 else set()
        if self.text.isascii():
            return made | {self.text.lower().encode()}
        for text in {self.text, self.text.lower(), self.text.upper(), self.text.title()}:
            for codec in codecs:
                try:
                    encoded = text.encode(codec)
                except (UnicodeEncodeError, LookupError):
                    continue
                made.add(_narrow(_ESCAPES.sub(b"", encoded)))
        return made - {b""}


def _narrow(value: bytes) -> bytes:
    return value.lower()


def needles(found: Identifiers, options: frozenset[str]) -> list[Needle]:
    """What to search for, the same only once, where the options retain something else."""
    made: dict[tuple[str, frozenset[str]], Needle] = {}
    for kind, tag, text in found.texts:
        if kind == "name":
            several = _of_name(tag, text)
        elif kind == "birth date":
            several = _of_date(tag, text, options)
        elif kind == "id":
            several = _of_id(tag, text, options)
        else:
            several = _of_address(tag, text)
        for needle in several:
            made.setdefault((needle.text.casefold(), needle.not_in), needle)
    return list(made.values())


def _of_name(tag: int, name: str) -> Iterator[Needle]:
    for parts in name_parts(name):
        weak = [part for part in parts if not is_telling_name(part)]
        for part in parts:
            if part not in weak:
                for word in _words(part):
                    if is_telling_name(word):
                        yield from (Needle(tag, each) for each in spellings(word))
        first_two = parts[:2]
        if len(first_two) == 2 and len(weak) == len(parts) and not all(map(is_ordinary, first_two)):
            for pair in permutations(first_two):
                for between in _BETWEEN:
                    yield Needle(tag, between.join(pair))


def _words(part: str) -> set[str]:
    """The part, and if it is of several words each long one and all without what is between."""
    if not _SEVERAL_WORDS.fullmatch(part):
        return {part}
    return {part, "".join(_WORD.findall(part)), *_LONG_WORD.findall(part)}


def _of_id(tag: int, text: str, options: frozenset[str]) -> Iterator[Needle]:
    plain = re.sub(r"[\W_]", "", text)
    numbers = _LONG_NUMBER.findall(text)
    for each in {text, plain, plain.lstrip("0"), *numbers}:
        if is_telling_id(each):
            if not _DIGITS.fullmatch(each):
                yield Needle(tag, each)
            else:  # where numbers belong it may be another, a long one only what is retained
                retained = _retained_vrs(options)
                yield Needle(tag, each, retained if len(each) >= _LONG else _NUMERIC_VRS)


def _retained_vrs(options: frozenset[str]) -> frozenset[str]:
    """Of what the options retain the VRs that look like other numbers: dates and UIDs."""
    dates = {"DA", "DT", "TM"} if {FULL_DATES, MODIFIED_DATES} & options else set()
    return frozenset(dates | ({"UI"} if "retain_uids" in options else set()))


def _of_address(tag: int, text: str) -> Iterator[Needle]:
    for each in {text, *re.split(r"[\r\n^,;]+", text)}:
        line = each.strip()
        if sum(character.isalnum() for character in line) >= 6 and is_telling_id(line):
            yield from (Needle(tag, spelling) for spelling in spellings(line))


def _of_date(tag: int, text: str, options: frozenset[str]) -> Iterator[Needle]:
    match = _DATE.fullmatch(text)
    if not match:
        return
    year, month, day = match.groups()
    not_in = _retained_vrs(options) | {"DS", "IS", "TM"}
    yield Needle(tag, year + month + day, not_in, is_date=True)
    for order in ((year, month, day), (day, month, year), (month, day, year)):
        for between in ".-/":
            yield Needle(tag, between.join(order), not_in)
    yield Needle(tag, day + month + year, not_in)
