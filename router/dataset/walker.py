"""The element walker: bytes pushed in as they come, spans and bulk references out.

Iterative, with its own stack; of bulk values it sees only that they pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from router.dataset.encoding import (
    BINARY_VRS,
    BULK_TAGS,
    EXPLICIT_VRS,
    ITEM,
    ITEM_DELIMITATION,
    LARGEST_HEADER_VALUE,
    SEQUENCE_DELIMITATION,
    UNDEFINED,
    UNKNOWN_VR,
    Encoding,
    implicit_vr,
    items_encoding,
    tag_text,
)
from router.dataset.passing import ENDLESS, PassingBuffer
from router.dataset.scan import Bulk, Limits, Problem, Span

if TYPE_CHECKING:
    Holds = Literal["elements", "items", "fragments", "value"]

NEVER_IN_DATA_SETS = frozenset({0x0000, 0x0002, 0xFFFE})  # PS3.7, PS3.10, delimiters (PS3.5 7.5)


@dataclass(slots=True)
class _Open:
    """A value the walk is inside of; `limit` is the data set byte it must not pass."""

    holds: Holds
    encoding: Encoding
    limit: int
    defined: bool  # ends at `limit`; otherwise with its delimitation item
    tag: int
    vr: str
    start: int
    value: int
    offset: int  # of the value, in data set coordinates
    depth: int = 0


class Walker(PassingBuffer):
    """Walks a data set, or the value of a sequence (`holds="items"`), and never raises on data.

    Bulk values pass; after a problem all the rest does.
    """

    def __init__(
        self, encoding: Encoding, limits: Limits, holds: Literal["elements", "items"] = "elements"
    ) -> None:
        super().__init__(limits.header)
        self.limits = limits
        self.spans: list[Span] = []
        self.bulk: list[Bulk] = []
        self.problem: Problem | None = None
        self._open = [_Open(holds, encoding, ENDLESS, False, 0, "", 0, 0, 0)]

    def skip_fragments(self, length: int) -> bool:
        """Count the whole encapsulated value that begins here; False where none does."""
        top = self._open[-1]
        if top.holds != "fragments" or self.position + self.missing != top.offset:
            return False
        top.limit, top.defined = top.offset + length, True
        self.passing = length
        self.skip(length)
        return True

    def close(self) -> bytes:
        """Nothing follows: settle what is open, return the header."""
        top, rest = self._open[-1], self.buffer[self.position :]
        if self.problem is None:
            if len(self._open) > 1:
                self._fail(f"the data set ends inside {tag_text(top.tag)}", "truncated")
            elif any(rest):
                self._fail("the data set ends in an element", "truncated")
            elif rest:  # a value of odd length, padded by its sender behind the element
                self._fail(f"{len(rest)} zero bytes follow the last element")
        if self.problem is not None and self.length > self.problem.offset:
            self.bulk.append(Bulk(self.problem.offset, self.length - self.problem.offset))
        return bytes(self.buffer)

    def parse(self) -> None:
        progress = True
        while progress and not self.passing:
            top = self._open[-1]
            if self.position + self.missing == top.limit:
                if top.defined:
                    self._close_value(top)
                else:
                    self._fail(f"{tag_text(top.tag)} is not closed where what holds it ends")
            elif top.holds == "elements":
                progress = self._elements(top)
            elif top.holds == "items":
                progress = self._item(top)
            elif top.holds == "fragments":
                progress = self._fragment(top)
            else:
                self.drop(top.limit - self.position - self.missing)

    def _elements(self, top: _Open) -> bool:
        """Walk plain elements up to one that is opened, closed, or not all here (False).

        One long loop, as most of the time a data set takes is spent in it.
        """
        buffer, available, spans = self.buffer, len(self.buffer), self.spans
        position, limit = self.position, top.limit - self.missing
        at_top, most = len(self._open) == 1, self.limits.elements
        implicit, new = top.encoding.implicit, tuple.__new__
        read_implicit = top.encoding.tag_and_length.unpack_from
        read_explicit = top.encoding.explicit_header.unpack_from
        while position != limit:
            self.position = position
            value = position + 8
            if value > limit:
                return self._fail("an item ends inside the header of an element")
            if value > available:
                return self._wait(value)
            if implicit:
                group, element, length = read_implicit(buffer, position)
                tag = group << 16 | element
                vr = implicit_vr(tag)
            else:
                group, element, code, length = read_explicit(buffer, position)
                tag = group << 16 | element
                vr, size = EXPLICIT_VRS.get(code, UNKNOWN_VR)
                if size == 12:
                    value += 4
                    if value > available:
                        return self._wait(value)
                    (length,) = top.encoding.long_length.unpack_from(buffer, value - 4)
            if not vr or group in NEVER_IN_DATA_SETS:
                return self._no_element(top, tag)
            end = value + length
            if (
                length > LARGEST_HEADER_VALUE
                or vr == "SQ"
                or (tag in BULK_TAGS and length)
                or end > limit
            ):
                return self._open_value(top, tag, vr, value, length)
            if end > available:
                return self._wait(end)
            if at_top:
                if len(spans) == most:
                    return self._fail(f"there are more than {most} elements")
                # The tuple itself: a call of Span would be a third of the whole loop.
                spans.append(new(Span, (tag, vr, position, value, length, end)))
            position = end
        self.position = position
        return True

    def _wait(self, need: int) -> bool:
        """Not enough is here: go on when the buffer is `need` bytes long. Always False."""
        if need > self.limits.header:
            return not self._fail(f"it has more than {self.limits.header} bytes of elements")
        self.need = need
        return False

    def _no_element(self, top: _Open, tag: int) -> bool:
        """The end of an item of undefined length, or something that is no element of data sets."""
        (length,) = top.encoding.long_length.unpack_from(self.buffer, self.position + 4)
        if tag == ITEM_DELIMITATION and len(self._open) > 1 and not top.defined and not length:
            self._close_value(top, delimiter=8)
            return True
        if tag >> 16 in NEVER_IN_DATA_SETS:
            return self._fail(f"{tag_text(tag)} is in the place of an element")
        return self._fail(f"{tag_text(tag)} has an unknown VR")

    def _open_value(self, top: _Open, tag: int, vr: str, value: int, length: int) -> bool:
        """Go into a value that is not simply read: a sequence, or bulk."""
        encoding, defined = top.encoding, length != UNDEFINED
        holds: Holds = "value" if defined else "fragments"
        if vr == "SQ" or (vr == "UN" and not defined and tag not in BULK_TAGS):
            holds, encoding = "items", items_encoding(encoding, vr)
        elif not defined and vr not in BINARY_VRS and tag not in BULK_TAGS:
            return self._fail(f"{tag_text(tag)} of VR {vr} has an undefined length")
        if len(self._open) == 1 and len(self.spans) == self.limits.elements:
            return self._fail(f"there are more than {self.limits.elements} elements")
        if holds != "items" and len(self.bulk) == self.limits.bulk:
            return self._fail(f"there are more than {self.limits.bulk} bulk values")
        return self._enter(top, holds, encoding, tag, vr, value, length)

    def _item(self, top: _Open) -> bool:
        tag, length = self._tag_and_length(top)
        if not tag:
            return False
        if tag == ITEM:
            return self._enter(top, "elements", top.encoding, tag, "", self.position + 8, length)
        if tag == SEQUENCE_DELIMITATION and len(self._open) > 1 and not (top.defined or length):
            self._close_value(top, delimiter=8)
            return True
        return self._fail(f"{tag_text(tag)} where an item belongs")

    def _enter(
        self,
        top: _Open,
        holds: Holds,
        encoding: Encoding,
        tag: int,
        vr: str,
        value: int,
        length: int,
    ) -> bool:
        """Be inside the value that begins at header position `value`, if it may be there."""
        offset, defined = value + self.missing, length != UNDEFINED
        limit = offset + length if defined else top.limit
        if limit > top.limit:
            return self._fail(f"{tag_text(tag)} is longer than what holds it")
        depth = top.depth + (holds == "items")
        if depth > self.limits.nesting:
            return self._fail(f"sequences nest deeper than {self.limits.nesting}")
        start = self.position
        opened = _Open(holds, encoding, limit, defined, tag, vr, start, value, offset, depth)
        self._open.append(opened)
        self.position = value
        return True

    def _fragment(self, top: _Open) -> bool:
        tag, length = self._tag_and_length(top)
        if not tag:
            return False
        end = self.position + self.missing + 8
        if tag == SEQUENCE_DELIMITATION and not length:
            top.limit, top.defined = end, True
        elif tag != ITEM or length == UNDEFINED or end + length > top.limit:
            return self._fail(f"{tag_text(top.tag)} holds something else than its fragments")
        self.drop(8 + length)
        return True

    def _tag_and_length(self, top: _Open) -> tuple[int, int]:
        """The item header here; (0, 0) where it is not all here, or does not fit."""
        if self.position + self.missing + 8 > top.limit:
            self._fail(f"{tag_text(top.tag)} ends inside the header of an item")
            return 0, 0
        if self.position + 8 > len(self.buffer):
            self._wait(self.position + 8)
            return 0, 0
        group, element, length = top.encoding.tag_and_length.unpack_from(self.buffer, self.position)
        return group << 16 | element, length

    def _close_value(self, top: _Open, delimiter: int = 0) -> None:
        """The value on top ends here, before `delimiter` bytes of delimitation item."""
        self._open.pop()
        length = self.position - top.value
        self.position += delimiter
        end = self.position + self.missing
        if top.holds in ("value", "fragments") and end > top.offset:
            self.bulk.append(Bulk(top.offset, end - top.offset))
        if len(self._open) == 1:
            self.spans.append(Span(top.tag, top.vr, top.start, top.value, length, self.position))

    def _fail(self, reason: str, kind: Literal["truncated", "unwalkable"] = "unwalkable") -> bool:
        """Stop at the element this one is: all from there on is one bulk value. Always True."""
        top = self._open[-1]
        offset = self.position + self.missing
        if top.holds in ("value", "fragments"):
            self.position, offset = top.start, top.offset - (top.value - top.start)
        del self.buffer[self.position :]
        self.problem = Problem(kind, reason, offset)
        self.passing = ENDLESS
        return True
