"""Which values of an instance as received identify somebody: what must not be found in it later."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydicom._uid_dict import UID_dictionary

from .profile import Action, Profile, ordinary_words
from .replacing import DUMMY_DATE, DUMMY_TEXT, settled_vr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from router import Level

    Kind = Literal["name", "id", "address", "birth date", "uid"]

# Of the table's attributes those that are IDs, and those that are addresses.
_IDS = (
    0x00080050, 0x00100020, 0x00101000, 0x00101050, 0x00101090, 0x00102154, 0x00080094,
    0x00200010, 0x00321064, 0x00380010, 0x00380060, 0x00400009, 0x00400253, 0x00400512,
    0x00400551, 0x00401001, 0x00401103, 0x00402016, 0x00402017,
)  # fmt: skip
_ADDRESSES = (0x00101040, 0x00080092, 0x00401102, 0x00080081, 0x00102155)
_INSTITUTION = (0x00080081,)
_BIRTH_DATE = 0x00100030
_NAME_BREAKS = re.compile(r"[\^=,;\s]+")
_WORD = re.compile(r"[^\W_]+")
_TRANSCRIBED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa"})
SHORTEST_NAME, SHORTEST_FOREIGN_NAME, SHORTEST_ID = 3, 2, 4


@dataclass(frozen=True)
class Identifiers:
    """Values by what they are, each with the tag it was found at."""

    texts: list[tuple[Kind, int, str]] = field(default_factory=list)
    uids: dict[str, int] = field(default_factory=dict)
    codecs: set[str] = field(default_factory=set)


@lru_cache(maxsize=64)
def _kinds(options: frozenset[str]) -> Mapping[int, Kind]:
    """What attributes that the options do not retain are searched for."""
    kinds: dict[int, Kind] = {}
    for tag, action in Profile(options).everywhere.items():
        if action is Action.KEEP:
            continue
        vr = settled_vr(tag, None)
        if vr == "PN":
            kinds[tag] = "name"
        elif vr == "UI":
            kinds[tag] = "uid"
    for tag in _IDS:
        kinds[tag] = "id"
    for tag in _ADDRESSES:
        kinds[tag] = "address"
    kinds[_BIRTH_DATE] = "birth date"
    if "retain_institution_identity" in options:
        for tag in _INSTITUTION:
            kinds.pop(tag, None)
    return kinds


def identifiers(received: Level, options: frozenset[str]) -> Identifiers:
    """What identifies in a data set and all items below it."""
    found = Identifiers()
    kinds = _kinds(options)
    for level in received.all():
        found.codecs.update(level.codecs)
        for span in level.spans:
            kind = kinds.get(span.tag)
            # Names that the standard has and the profile does not list stay, so are no leak.
            if kind is None and span.vr == "PN" and span.tag >> 16 & 1:
                kind = "name"
            if kind is not None and span.length:
                _add(found, kind, span.tag, level.text(span))
    return found


def _add(found: Identifiers, kind: Kind, tag: int, texts: Iterable[str]) -> None:
    for text in filter(None, texts):
        if kind == "uid":
            if text not in UID_dictionary:
                found.uids.setdefault(text, tag)
        elif text not in (DUMMY_TEXT, DUMMY_DATE):
            found.texts.append((kind, tag, text))


def identifying_words(received: Level) -> set[str]:
    """Every word of every name, ID and address, in small letters: for cleaning text."""
    found = identifiers(received, frozenset())
    words = set()
    for kind, _, text in found.texts:
        if kind != "birth date":
            for spelling in spellings(text):
                words |= {word.casefold() for word in _WORD.findall(spelling)}
                words.add(spelling.casefold())
    return words


def name_parts(name: str) -> list[list[str]]:
    """Of each representation of a person's name its parts (PS3.5 6.2.1)."""
    return [
        [part for part in _NAME_BREAKS.split(group) if part.strip(".-")]
        for group in name.split("=")
        if group.strip("^ ")
    ]


def spellings(text: str) -> Iterator[str]:
    """The text, and as it is written where its letters are not to be had."""
    yield text
    if not text.isascii():
        lower = unicodedata.normalize("NFC", text).lower()
        plain = "".join(c for c in unicodedata.normalize("NFKD", lower) if not _is_mark(c))
        yield from {lower.translate(_TRANSCRIBED), plain} - {lower}


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character) > 0


def is_telling_name(part: str) -> bool:
    """Whether a part of a name, found alone, can only be that: not `Li`, `Chest` or `J.`."""
    letters = "".join(_WORD.findall(part))
    shortest = SHORTEST_NAME if letters.isascii() else SHORTEST_FOREIGN_NAME
    is_short = len(letters) < shortest or (len(letters) == shortest and not letters.isalpha())
    return not is_short and not is_ordinary(part)


def is_ordinary(part: str) -> bool:
    """Whether a part of a name is a word of DICOM's as well, or a single letter."""
    letters = "".join(_WORD.findall(part)).casefold()
    return len(letters) < 2 or letters in ordinary_words()


def is_telling_id(text: str) -> bool:
    """Whether an ID, found alone, can only be that: not `1`, `512` or `CHEST`."""
    plain = "".join(_WORD.findall(text))
    if len(plain) < SHORTEST_ID or plain.casefold() in ordinary_words():
        return False
    return not plain.isdigit() or len(set(plain)) > 1
