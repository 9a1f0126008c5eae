"""The leak gate: nothing that identified may be found in what leaves, wherever it is."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag

from router import Hold, leaving, read_bulk, received

from .identifiers import Identifiers, identifiers
from .needles import Needle, needles
from .replacing import TEXT_VRS, settled_vr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router import Bulk, Instance, Level, Span

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UID = re.compile(rb"(?<![0-9.])[0-2](?:\.[0-9]{1,63}){2,}(?![0-9.])")
_TEXTS = TEXT_VRS | {"AE", "AS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_TOKEN_BYTES = re.compile(rb"[0-9a-z\x80-\xff]")
_ANYWHERE = {"utf-8", "latin-1"}  # what text is in without being told
_OVERLAP = 4096
_SHORTEST_IN_BYTES = 5  # shorter runs are in a long waveform without meaning anything


def check_leaks(instance: Instance, options: frozenset[str]) -> None:
    """Hold an instance in which a value of the original that the options do not retain is left."""
    original = identifiers(received(instance), options)
    left = leaving(instance)
    _check_places(original, left)
    sought = needles(original, options)
    codecs = original.codecs | {codec for level in left.all() for codec in level.codecs}
    patterns: dict[bytes, list[Needle]] = defaultdict(list)
    for needle in sought:
        for pattern in needle.encoded(codecs | _ANYWHERE):
            patterns[pattern].append(needle)
    header = left.scan.header.lower()
    suspects = [pattern for pattern in patterns if pattern in header]
    uids = {uid for uid in original.uids if uid.encode() in header}
    search = _Search(instance, original, patterns)
    if suspects or uids:
        search.elements(left, "", suspects, uids)
    if any(bulk != _own_pixels(left) for bulk in left.scan.bulk):
        search.bulk(left, "")


def _own_pixels(left: Level) -> object:
    """The bulk value that is nearly always the only one."""
    span = left.elements.get(0x7FE00010)
    return left.bulk(span) if span else None


def _check_places(original: Identifiers, left: Level) -> None:
    """No identifying attribute still has its value, were it as common as `1`."""
    for kind, tag, text in original.texts:
        span = left.elements.get(tag)
        if span is not None and kind != "birth date" and text in left.text(span):
            raise _leak(tag, _name(tag))


class _Search:
    def __init__(
        self, instance: Instance, original: Identifiers, patterns: Mapping[bytes, list[Needle]]
    ) -> None:
        self._instance = instance
        self._original = original
        self._patterns = patterns

    def elements(self, level: Level, path: str, suspects: list[bytes], uids: set[str]) -> None:
        """Find the element that has one of the patterns found somewhere as a whole token."""
        for span in level.spans:
            if level.scan.is_sequence(span):
                for item in level.items(span):
                    self.elements(item, f"{path}{_name(span.tag)}.", suspects, uids)
                continue
            value = level.scan.value(span).lower()
            here = [pattern for pattern in suspects if pattern in value]
            if here:
                self._element(level, span, value, here, f"{path}{_name(span.tag)}")
            for found in _UID.findall(value) if uids else ():
                if found.decode() in uids:
                    source = self._original.uids[found.decode()]
                    raise _leak(source, f"{path}{_name(span.tag)}")

    def _element(
        self, level: Level, span: Span, value: bytes, here: list[bytes], place: str
    ) -> None:
        vr = span.vr if span.tag >> 16 & 1 else settled_vr(span.tag, span.vr)
        is_text = vr in _TEXTS and span.vr in _TEXTS
        texts = level.text(span) if is_text or span.vr == "UN" else ()
        for pattern, needle in ((each, needle) for each in here for needle in self._patterns[each]):
            if vr in needle.not_in:
                continue
            if any(needle.pattern.search(text) for text in texts):
                raise _leak(needle.tag, place)
            if not is_text and _is_in_bytes(value, pattern, needle):
                raise _leak(needle.tag, place)

    def bulk(self, level: Level, path: str) -> None:
        """Search what is kept by reference and is no pixels, piece by piece."""
        for span in level.spans:
            if level.scan.is_sequence(span):
                for item in level.items(span):
                    self.bulk(item, f"{path}{_name(span.tag)}.")
            elif span.tag not in _PIXELS and (bulk := level.bulk(span)):
                for piece in self._pieces(bulk):
                    self._piece(piece, span.vr in TEXT_VRS, f"{path}{_name(span.tag)}")

    def _pieces(self, bulk: Bulk) -> Iterator[bytes]:
        before = b""
        for piece in read_bulk(self._instance, bulk):
            whole = before + piece.lower()
            yield whole
            before = whole[-_OVERLAP:]

    def _piece(self, piece: bytes, is_text: bool, place: str) -> None:
        for pattern, several in self._patterns.items():
            if pattern in piece and _is_in_bytes(piece, pattern, several[0], is_text):
                raise _leak(several[0].tag, place)
        for found in _UID.findall(piece):
            if tag := self._original.uids.get(found.decode()):
                raise _leak(tag, place)


def _is_in_bytes(value: bytes, pattern: bytes, needle: Needle, is_text: bool = False) -> bool:
    """Whether bytes have the pattern, and not by chance."""
    if not is_text and len(pattern) < _SHORTEST_IN_BYTES:
        return False
    return needle.is_unspaced or _has_token(value, pattern)


def _has_token(value: bytes, pattern: bytes) -> bool:
    """Whether the bytes are there with no letter or digit, of one byte or two, beside them."""
    step = 2 if b"\0" in pattern else 1
    at = value.find(pattern)
    while at >= 0:
        end = at + len(pattern) + step - 1
        before, after = value[max(0, at - step) : at], value[end : end + step]
        if not _TOKEN_BYTES.search(before) and not _TOKEN_BYTES.search(after):
            return True
        at = value.find(pattern, at + 1)
    return False


def _leak(source: int, place: str) -> Hold:
    return Hold(f"the original {_name(source)} is still in {place}")


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
