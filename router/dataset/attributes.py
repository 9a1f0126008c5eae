"""Data sets as plain values: what an index keeps of a header, and what it answers queries with."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from router.dataset.encoding import BINARY_VRS, EXPLICIT_LITTLE, ITEM, SPECIFIC_CHARACTER_SET
from router.dataset.text import NUMBERS, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.dataset.scan import Scan

# By tag, as in "00100020": the VR, and the texts of the values or the items of a sequence.
Attributes = dict[str, tuple[str, list[Any]]]

_LONGEST_SHORT = 0xFFFE  # bytes of a value in an element with two bytes of length
_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")


def attributes(scan: Scan, longest: int | None = None) -> Attributes:
    """The elements of a data set that have text or are sequences; text is decoded, so without what
    character set it was in. Those that take more than `longest` bytes are left out, and bulk.
    """
    return _of(Level.top(scan), longest)


def _of(level: Level, longest: int | None) -> Attributes:
    found: Attributes = {}
    for tag, span in level.elements.items():
        is_too_long = longest is not None and span.end - span.start > longest
        if not tag & 0xFFFF or tag == SPECIFIC_CHARACTER_SET or is_too_long:
            continue
        if level.scan.is_sequence(span):
            items = [_of(item, longest) for item in level.items(span)]
            found[f"{tag:08X}"] = ("SQ", items)
            continue
        vr = level.vr(span)
        texts = list(level.text(span))
        if vr in BINARY_VRS or level.bulk(span) or (vr == "UN" and not texts):
            continue
        found[f"{tag:08X}"] = (vr, texts)
    return found


def encode_attributes(values: Mapping[str, tuple[str, list[Any]]]) -> bytes:
    """The data set in Explicit VR Little Endian, text in UTF-8 whatever it says."""
    return b"".join(_encode(tag, *values[tag]) for tag in sorted(values))


def _encode(tag: str, vr: str, values: list[Any]) -> bytes:
    if vr == "SQ":
        items = (encode_attributes(item) for item in values)
        value = b"".join(EXPLICIT_LITTLE.header(ITEM, "", len(item)) + item for item in items)
    else:
        value = _value(vr, values)
    return EXPLICIT_LITTLE.header(int(tag, 16), vr, len(value)) + value


def _value(vr: str, texts: list[str]) -> bytes:
    if vr in NUMBERS:
        made = float if vr in ("FL", "FD") else int
        return struct.pack(f"<{len(texts)}{NUMBERS[vr]}", *map(made, texts))
    if vr == "AT":
        halves = [int(half, 16) for text in texts for half in _TAG.fullmatch(text).groups()]  # type: ignore[union-attr]
        return struct.pack(f"<{len(halves)}H", *halves)
    value = "\\".join(texts).encode("utf-8", "replace")
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    is_short = vr not in ("UC", "UN", "UR", "UT")
    return b"" if is_short and len(value) > _LONGEST_SHORT else value
