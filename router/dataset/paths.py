"""Element paths as rules write them, parsed once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword


@dataclass(frozen=True, slots=True)
class Step:
    """One element: its tag, or for a private one the group, the low byte and the creator."""

    tag: int
    creator: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """An element at the end of zero or more sequences, all of whose items are meant.

    `everywhere`: the path begins in the data set and in every item of every sequence.
    """

    text: str
    steps: tuple[Step, ...]
    everywhere: bool = False

    def __str__(self) -> str:
        return self.text


_EVERYWHERE = "**."
_STEP = re.compile(
    r"(?P<keyword>[A-Za-z]\w*)"
    r"|\(\s*(?P<group>[0-9A-Fa-f]{4})\s*,\s*"
    r"(?:(?P<element>[0-9A-Fa-f]{4})\s*\)"
    r"|(?:[xX]{2})?(?P<low>[0-9A-Fa-f]{2})\s*,\s*(?P<creator>\S.*?)\s*\))"
)


@lru_cache(maxsize=1024)
def parse_path(text: str) -> Path:
    """Parse `Modality`, `(0010,0020)`, `(0029,10,CREATOR)` or such steps joined by dots.

    `**.` before them stands for every level: the data set and all items at any depth.

    ValueError says what is wrong and names the nearest known keyword.
    """
    steps: list[Step] = []
    everywhere = text.startswith(_EVERYWHERE)
    at = len(_EVERYWHERE) if everywhere else 0
    while True:
        match = _match(text, at)
        if match is None:
            raise ValueError(
                f"{text!r} is not an element: write a keyword (Modality), (gggg,eeee), a private "
                "(gggg,ee,CREATOR), or a path through sequences joined by dots"
            )
        steps.append(_step(match))
        if match.end() == len(text):
            break
        _require_sequence(steps[-1], match[0])
        at = match.end() + 1
    return Path(text, tuple(steps), everywhere)


def _match(text: str, at: int) -> re.Match[str] | None:
    """The step at `at`, up to a dot or the end; a creator may itself hold dots and brackets."""
    for end in [*(i for i in range(at, len(text)) if text[i] == "."), len(text)]:
        if match := _STEP.fullmatch(text, at, end):
            return match
    return None


def _step(match: re.Match[str]) -> Step:
    if match["keyword"]:
        return Step(_keyword_tag(match["keyword"]))
    group = int(match["group"], 16)
    if match["creator"] is None:
        tag = group << 16 | int(match["element"], 16)
    else:
        if group % 2 == 0:
            raise ValueError(f"{match[0]}: group {group:04X} is even, so it is not private")
        tag = group << 16 | int(match["low"], 16)
    _require_in_data_set(tag, match[0])
    return Step(tag, match["creator"])


def _keyword_tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        known = [entry[4] for entry in DicomDictionary.values() if entry[4]]
        near = get_close_matches(keyword, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{keyword} is not a DICOM keyword{hint}")
    _require_in_data_set(tag, keyword)
    return tag


def _require_in_data_set(tag: int, text: str) -> None:
    if tag >> 16 in (0x0000, 0x0002, 0xFFFE):
        raise ValueError(f"{text} is never in a data set (group {tag >> 16:04X})")


def _require_sequence(step: Step, text: str) -> None:
    if step.creator is None and step.tag in DicomDictionary and dictionary_VR(step.tag) != "SQ":
        name = keyword_for_tag(step.tag) or text
        raise ValueError(f"{name} is not a sequence, so nothing is below it")
