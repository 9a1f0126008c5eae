"""Values that stand in for others: dummies by VR, and text of which only ordinary words stay."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

from .profile import known_terms

if TYPE_CHECKING:
    from collections.abc import Collection

DUMMY_TEXT = "ANONYMIZED"
DUMMY_DATE = "19000101"
BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
TEXT_VRS = frozenset({"CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_DUMMIES: dict[str, object] = {
    **dict.fromkeys((*TEXT_VRS, "AE"), DUMMY_TEXT),
    **dict.fromkeys(("DS", "IS"), "0"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT"), 0),
    **dict.fromkeys(("OB", "OW", "UN"), bytes(2)),
    **dict.fromkeys(("OF", "OL"), bytes(4)),
    **dict.fromkeys(("OD", "OV"), bytes(8)),
    "AS": "000Y",
    "DA": DUMMY_DATE,
    "DT": DUMMY_DATE + "000000",
    "TM": "000000",
    "UI": "2.25.0",
    "UR": "http://anonymized.invalid",
}
_WORD = re.compile(r"[^\W_]+")
_MEASURE = re.compile(r"\d{1,3}|[^\W\d_]\d{1,2}|\d{1,3}[^\W\d_]{1,2}")
_LETTERS = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=16384)
def settled_vr(tag: int, vr: str | None) -> str:
    """The VR of an attribute: the standard's over what was sent, of several the first."""
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return vr or "UN"


def element(tag: int, vr: str, value: object) -> DataElement:
    """An element with a value that needs no checking, since it was made here."""
    if vr == "PN" and value is not None:
        several = value if isinstance(value, list) else [value]
        names = [PersonName(str(text)) for text in several]
        value = names[0] if len(names) == 1 else names
    return DataElement(BaseTag(tag), vr, value, already_converted=True)


def dummy(tag: int, vr: str) -> DataElement:
    """The element with a value that says nothing (PS3.15 E.3, action D)."""
    return element(tag, vr, _DUMMIES[vr])


def emptied(tag: int, vr: str) -> DataElement:
    """The element without a value (action Z)."""
    if vr == "SQ":
        return element(tag, vr, [])
    return element(tag, vr, b"" if vr in BINARY_VRS or vr == "UN" else "")


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence (PS3.3 8.1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def text_item() -> Dataset:
    """What stands for everything a structured report said (PS3.3 C.17.3)."""
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = Sequence([code("121106", "DCM", "Comment")])
    item.TextValue = DUMMY_TEXT
    return item


def cleaned_text(text: str, identifying: Collection[str]) -> str:
    """The text without words that are neither ordinary nor short measures, or that identify.

    `identifying` are words in small letters that go although they are ordinary.
    """
    return " ".join(filter(None, (_kept(word, identifying) for word in text.split())))


def is_ordinary(text: str, identifying: Collection[str]) -> bool:
    """Whether cleaning leaves the text alone."""
    return all(_is_plain(word, identifying) for word in _WORD.findall(text))


def _kept(text: str, identifying: Collection[str]) -> str:
    """What is between two spaces, of ordinary words only; else what of it is ordinary."""
    words = _WORD.findall(text)
    if not words:
        return text if len(text) == 1 else ""
    if sum(word.isdigit() for word in words) > 2:
        return ""  # a date, a time, a telephone number
    if all(_is_plain(word, identifying) for word in words):
        return text if text.isascii() else ""
    return " ".join(word for word in words if _is_plain(word, identifying))


def _is_plain(word: str, identifying: Collection[str]) -> bool:
    word = word.casefold()
    if word in identifying:
        return False
    if word in known_terms() or _MEASURE.fullmatch(word):
        return True
    letters = _LETTERS.findall(word)
    digits = sum(character.isdigit() for character in word)
    return (
        0 < digits <= 3
        and bool(letters)
        and all(each in known_terms() and each not in identifying for each in letters)
    )
