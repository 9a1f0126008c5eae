"""What the scanner found: the header kept in memory, and where the bulk values are in the file."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from router.dataset.charset import DEFAULT, codecs_of
from router.dataset.encoding import BULK_TAGS, UNDEFINED_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Bulk:
    """A value kept by reference: its bytes in data set coordinates (0 = the data set's first).

    Of an encapsulated value the bytes up to and including its sequence delimitation item.
    """

    offset: int
    length: int


class Span(NamedTuple):
    """One element, in header coordinates: it begins at `start`, its value at `value`.

    `length` is the number of value bytes in the header: 0 for bulk, and without the delimitation
    item of an undefined length. `end` is where the next element begins. `vr` is two letters;
    Implicit VR looks it up, "UN" where the dictionary does not know the tag.
    """

    tag: int
    vr: str
    start: int
    value: int
    length: int
    end: int


def by_tag(spans: Iterable[Span]) -> dict[int, Span]:
    """The elements by tag, in their order; of duplicates the first."""
    given = tuple(spans)
    found = {span[0]: span for span in given}
    if len(found) != len(given):
        found = {span[0]: span for span in reversed(given)}
        found = {span[0]: found[span[0]] for span in given}
    return found


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the walk ended early, in words without patient data, and at which data set byte.

    truncated: an element claims more bytes than came, or what is deflated does not inflate.
    oversized: it inflates beyond the limits. unwalkable: anything else; never rewritten.
    """

    kind: Literal["truncated", "oversized", "unwalkable"]
    reason: str
    offset: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a data set may cost: bytes of header, depth of sequences, elements and bulk values.

    Where it is deflated, also the bytes it inflates to, and how many for each that came.
    """

    header: int = 64 * 1024 * 1024
    nesting: int = 64
    elements: int = 65_536  # of the top level
    bulk: int = 65_536
    inflated: int = sys.maxsize
    inflated_ratio: int = sys.maxsize


@dataclass(frozen=True)
class Scan:
    """What a data set looks like: `header` is all of its bytes but the bulk values, in order.

    After a problem the bytes from `problem.offset` on are the last of `bulk`, and `spans` are the
    top-level elements before it. `length` counts all bytes of the data set. Of a deflated one all
    that is about what it inflates to. Text is read by `assume_character_set`, such as
    `ISO_IR 100`, where the data set names none.
    """

    transfer_syntax: str
    header: bytes
    bulk: tuple[Bulk, ...]
    length: int
    spans: tuple[Span, ...]
    problem: Problem | None = None
    assume_character_set: str | None = None

    def assuming(self, character_set: str | None) -> Scan:
        """The same with text read by this character set where the data set names none."""
        if character_set == self.assume_character_set:
            return self
        return replace(self, assume_character_set=character_set)

    @cached_property
    def outside(self) -> tuple[str, ...]:
        """The character set outside of everything: what counts where none is named."""
        assumed = self.assume_character_set
        return codecs_of(assumed.split("\\")) if assumed else DEFAULT

    @cached_property
    def elements(self) -> Mapping[int, Span]:
        """The top-level elements by tag; of duplicates the first."""
        return by_tag(self.spans)

    @cached_property
    def bulk_positions(self) -> tuple[int, ...]:
        """Where in the header each bulk value is missing."""
        positions, missing = [], 0
        for bulk in self.bulk:
            positions.append(bulk.offset - missing)
            missing += bulk.length
        return tuple(positions)

    def value(self, span: Span | None) -> bytes:
        """The value bytes of an element in the header; none of none."""
        return self.header[span.value : span.value + span.length] if span else b""

    def has_undefined_length(self, span: Span) -> bool:
        """Whether an element or item ends with a delimitation item."""
        return self.header[span.value - 4 : span.value] == UNDEFINED_LENGTH

    def is_sequence(self, span: Span) -> bool:
        """Of VR SQ, or UN of undefined length (PS3.5 6.2.2)."""
        if span.vr == "UN":
            return span.tag not in BULK_TAGS and self.has_undefined_length(span)
        return span.vr == "SQ"

    def bulk_at(self, value: int) -> Bulk | None:
        """The bulk value of the element whose value begins at header position `value`."""
        index = bisect_left(self.bulk_positions, value)
        found = index < len(self.bulk) and self.bulk_positions[index] == value
        return self.bulk[index] if found else None

    def pieces(self, start: int, end: int) -> Iterator[bytes | Bulk]:
        """What the header range stands for: its bytes, and the bulk values among them in order.

        A bulk value missing at `end` belongs to the range, one at `start` to the element before
        (but at 0, where a data set without a single good element has its only one).
        """
        positions = self.bulk_positions
        at = start
        first = bisect_right(positions, start) if start else 0
        for index in range(first, bisect_right(positions, end)):
            yield self.header[at : positions[index]]
            yield self.bulk[index]
            at = positions[index]
        yield self.header[at:end]
