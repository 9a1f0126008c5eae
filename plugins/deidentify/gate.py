"""The leak gate: nothing that identified may be found in what leaves, wherever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from router import Hold, read_value, written_header

from .identifiers import Identifiers, identifiers
from .needles import Needle, codecs_of, needles
from .profile import FULL_DATES, MODIFIED_DATES
from .replacing import TEXT_VRS, settled_vr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    from router import Instance

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UID = re.compile(rb"(?<![0-9.])[0-2](?:\.[0-9]{1,63}){2,}(?![0-9.])")
_TEXTS = TEXT_VRS | {"AE", "AS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_NUMBERS = frozenset({"FL", "FD", "SL", "SS", "UL", "US", "SV", "UV", "AT"})
_TOKEN_BYTES = re.compile(rb"[0-9a-z\x80-\xff]")
_OVERLAP = 4096


def check_leaks(instance: Instance, options: frozenset[str]) -> None:
    """Hold an instance in which a value of the original that the options do not retain is left."""
    original = identifiers(instance.original, options)
    leaving = instance.dataset
    _check_places(original, leaving)
    retains_dates = bool({FULL_DATES, MODIFIED_DATES} & options)
    sought = needles(original, retains_dates)
    codecs = codecs_of(original.character_sets | _character_sets(leaving))
    patterns = {encoded: each for each in sought for encoded in each.encoded(codecs)}
    header = written_header(instance).lower()
    suspects = [encoded for encoded in patterns if encoded in header]
    uids = {uid for uid in original.uids if uid.encode() in header}
    search = _Search(instance, original, patterns)
    if suspects or uids:
        search.elements(leaving, "", suspects, uids)
    search.bulk(leaving, "")


def _check_places(original: Identifiers, leaving: Dataset) -> None:
    """No identifying attribute still has its value, were it as common as `1`."""
    for kind, tag, text in original.texts:
        if kind == "birth date" or tag not in leaving:
            continue
        value = leaving[tag].value
        several = value if isinstance(value, MultiValue | list) else [value]
        if any(str(each).strip(" \0") == text for each in several):
            raise _leak(tag, _name(tag))


def _character_sets(dataset: Dataset) -> set[str]:
    value = dataset.get("SpecificCharacterSet") or ()
    return {value} if isinstance(value, str) else set(map(str, value))


class _Search:
    def __init__(
        self, instance: Instance, original: Identifiers, patterns: Mapping[bytes, Needle]
    ) -> None:
        self._instance = instance
        self._original = original
        self._patterns = patterns

    def elements(self, dataset: Dataset, path: str, suspects: list[bytes], uids: set[str]) -> None:
        """Find the element that has one of the patterns found somewhere as a whole token."""
        for tag, raw in list(dataset.items()):
            place = f"{path}{_name(tag)}"
            value = raw.value
            if isinstance(value, Sequence):
                for item in value:
                    self.elements(item, f"{place}.", suspects, uids)
            elif isinstance(value, bytes) and value:
                lower = value.lower()
                here = [encoded for encoded in suspects if encoded in lower]
                if here:
                    self._element(dataset, tag, lower, here, place)
                for found in _UID.findall(lower) if uids else ():
                    if found.decode() in uids:
                        raise _leak(self._original.uids[found.decode()], place)

    def _element(
        self, dataset: Dataset, tag: BaseTag, lower: bytes, here: list[bytes], place: str
    ) -> None:
        vr = dataset[tag].VR if tag.is_private else settled_vr(tag, dataset[tag].VR)
        value = dataset[tag].value
        for encoded in here:
            needle = self._patterns[encoded]
            if vr in needle.not_in:
                continue
            if vr in _TEXTS and not isinstance(value, bytes):
                several = value if isinstance(value, MultiValue | list) else [value]
                if any(needle.pattern.search(str(each)) for each in several):
                    raise _leak(needle.tag, place)
            elif vr not in _NUMBERS and _has_token(lower, encoded):
                raise _leak(needle.tag, place)

    def bulk(self, dataset: Dataset, path: str) -> None:
        """Search what is kept by reference and is no pixels, piece by piece."""
        for tag, raw in list(dataset.items()):
            value = raw.value
            if type(value) is bytes:
                continue
            if isinstance(value, Sequence):
                for item in value:
                    self.bulk(item, f"{path}{_name(tag)}.")
            elif isinstance(value, bytes) and tag not in _PIXELS:
                for piece in self._pieces(value):
                    self._piece(piece, f"{path}{_name(tag)}")

    def _pieces(self, value: bytes) -> Iterator[bytes]:
        before = b""
        for piece in read_value(self._instance, value):
            yield before + piece.lower()
            before = (before + piece.lower())[-_OVERLAP:]

    def _piece(self, piece: bytes, place: str) -> None:
        for encoded, needle in self._patterns.items():
            if encoded in piece and _has_token(piece, encoded):
                raise _leak(needle.tag, place)
        for found in _UID.findall(piece):
            if tag := self._original.uids.get(found.decode()):
                raise _leak(tag, place)


def _has_token(value: bytes, encoded: bytes) -> bool:
    """Whether the bytes are there with no letter or digit, of one byte or two, beside them."""
    step = 2 if b"\0" in encoded else 1
    at = value.find(encoded)
    while at >= 0:
        end = at + len(encoded) + step - 1
        before, after = value[max(0, at - step) : at], value[end : end + step]
        if not _TOKEN_BYTES.search(before) and not _TOKEN_BYTES.search(after):
            return True
        at = value.find(encoded, at + 1)
    return False


def _leak(source: int, place: str) -> Hold:
    return Hold(f"the original {_name(source)} is still in {place}")


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
