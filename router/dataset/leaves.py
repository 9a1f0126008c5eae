"""Every element of a scan by its path, for telling people what differs between two data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydicom.datadict import keyword_for_tag

from router.dataset.encoding import tag_text
from router.dataset.segments import cut
from router.dataset.text import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.dataset.scan import Scan, Span
    from router.dataset.segments import Segment


class Leaf(NamedTuple):
    """An element that is no sequence, or one without items.

    `content` are its bytes, of a bulk value where they are: what is equal is unchanged. `text` is
    the value for people, as far as it has one; `length` counts bytes.
    """

    vr: str
    content: bytes | tuple[Segment, ...]
    text: str
    length: int


def leaves(scan: Scan, segments: Sequence[Segment]) -> dict[str, Leaf]:
    """Every element by its path, in order: `Sequence[1].Keyword`, `(0029,10,CREATOR)`.

    `segments` are the bytes that were scanned. Group lengths are left out; of a data set that
    cannot be walked to its end these are the elements before.
    """
    return dict(_below(Level.top(scan), segments, ""))


def _below(level: Level, segments: Sequence[Segment], above: str) -> Iterator[tuple[str, Leaf]]:
    for tag, span in level.elements.items():
        if not tag & 0xFFFF:
            continue
        path = above + _name(level, tag)
        items = list(level.items(span)) if level.scan.is_sequence(span) else []
        for number, item in enumerate(items, 1):
            yield from _below(item, segments, f"{path}[{number}].")
        if not items:
            yield path, _leaf(level, span, segments)


def _leaf(level: Level, span: Span, segments: Sequence[Segment]) -> Leaf:
    bulk = None if span.length else level.scan.bulk_at(span.value)
    if bulk:
        text = f"{bulk.length} bytes"
        return Leaf(span.vr, tuple(cut(segments, bulk.offset, bulk.length)), text, bulk.length)
    content = level.scan.value(span)
    text = "\\".join(level.text(span))
    if not text and content.strip(b" \0"):
        text = f"{len(content)} bytes"
    return Leaf(span.vr, content, text, span.length)


def _name(level: Level, tag: int) -> str:
    if not tag >> 16 & 1:
        return keyword_for_tag(tag) or tag_text(tag)
    creator = level.elements.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
    names = level.text(creator) if creator and tag & 0xFF00 else ()
    if not names:
        return tag_text(tag)
    return f"({tag >> 16:04X},{tag & 0xFF:02X},{names[0]})"
