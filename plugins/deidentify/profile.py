"""PS3.15 Table E.1-1 as actions by tag, for a choice of options and a SOP class."""

from __future__ import annotations

import csv
from enum import Enum, auto
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Option = Literal[
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "retain_safe_private",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
    "clean_pixel_data",
    "clean_recognizable_visual_features",
]
OPTIONS: tuple[Option, ...] = get_args(Option)
FULL_DATES: Literal["retain_longitudinal_full_dates"] = "retain_longitudinal_full_dates"
MODIFIED_DATES: Literal["retain_longitudinal_modified_dates"] = "retain_longitudinal_modified_dates"

# Context Group 7050 (PS3.16): the code of the profile, and those of its options.
BASIC_PROFILE_CODE = "113100"
CODES: Mapping[str, tuple[Option | None, str]] = {
    BASIC_PROFILE_CODE: (None, "Basic Application Confidentiality Profile"),
    "113101": ("clean_pixel_data", "Clean Pixel Data Option"),
    "113102": ("clean_recognizable_visual_features", "Clean Recognizable Visual Features Option"),
    "113103": ("clean_graphics", "Clean Graphics Option"),
    "113104": ("clean_structured_content", "Clean Structured Content Option"),
    "113105": ("clean_descriptors", "Clean Descriptors Option"),
    "113106": (FULL_DATES, "Retain Longitudinal Temporal Information Full Dates Option"),
    "113107": (MODIFIED_DATES, "Retain Longitudinal Temporal Information Modified Dates Option"),
    "113108": ("retain_patient_characteristics", "Retain Patient Characteristics Option"),
    "113109": ("retain_device_identity", "Retain Device Identity Option"),
    "113110": ("retain_uids", "Retain UIDs Option"),
    "113111": ("retain_safe_private", "Retain Safe Private Option"),
    "113112": ("retain_institution_identity", "Retain Institution Identity Option"),
}


class Action(Enum):
    """What becomes of an attribute (PS3.15 table E.1-1a; cleaning by what has to be cleaned)."""

    KEEP = auto()
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    UID = auto()
    CLEAN_TEXT = auto()
    CLEAN_DEVICE = auto()
    CLEAN_ITEMS = auto()
    SHIFT = auto()


_BASIC = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID}
_CLEANED: Mapping[str, Action] = {
    MODIFIED_DATES: Action.SHIFT,
    "clean_descriptors": Action.CLEAN_TEXT,
    "retain_patient_characteristics": Action.CLEAN_TEXT,
    "retain_device_identity": Action.CLEAN_DEVICE,
    "clean_structured_content": Action.CLEAN_ITEMS,
    "clean_graphics": Action.CLEAN_ITEMS,
}


class Profile:
    """The actions of the Basic Profile with these options.

    `everywhere` is for attributes below the top level, where the type an IOD gives them is not
    known: what would be invalid without a value gets one.
    """

    def __init__(self, options: Collection[str]) -> None:
        self.options = frozenset(options)
        self._by_option: dict[int, Action] = {}
        self._open: list[tuple[int, str]] = []
        self.everywhere: dict[int, Action] = {}
        for row in table("profile.csv"):
            if row["tag"] == "private" or "x" in row["tag"]:
                continue  # repeating groups and private elements: see rewriting
            tag = int(row["tag"], 16)
            chosen = _chosen(row, self.options)
            if "/" in row["basic"]:
                self._open.append((tag, row["basic"]))
            if chosen is not None:
                self._by_option[tag] = chosen
            self.everywhere[tag] = chosen or _BASIC[row["basic"].rstrip("*")[-1]]
        self._iods: dict[str, dict[int, Action]] = {}

    def top_level(self, sop_class: str) -> dict[int, Action]:
        """The actions for the top level of an instance of that SOP class."""
        if (letters := _iods().get(sop_class)) is None:
            return self.everywhere
        if sop_class not in self._iods:
            chosen = {
                tag: _BASIC[letter]
                for (tag, _), letter in zip(self._open, letters, strict=True)
                if tag not in self._by_option
            }
            self._iods[sop_class] = self.everywhere | chosen
        return self._iods[sop_class]


def _chosen(row: Mapping[str, str], options: Collection[str]) -> Action | None:
    """What the options say: to keep, over to clean, over what the Basic Profile does."""
    told = {option: row.get(option, "") for option in options}
    if "K" in told.values():
        return Action.KEEP
    cleaned = [_CLEANED[option] for option in _CLEANED if told.get(option) == "C"]
    return cleaned[0] if cleaned else None


@cache
def _iods() -> Mapping[str, str]:
    return {row["sop_class"]: row["actions"] for row in table("iods.csv")}


@cache
def safe_private_elements() -> frozenset[tuple[int, str, int]]:
    """(group, creator, low byte of the element) of what is known to be safe."""
    return frozenset(
        (int(row["group"], 16), row["creator"].casefold(), int(row["element"], 16))
        for row in table("safe_private.csv")
    )


@cache
def ordinary_words() -> frozenset[str]:
    """What DICOM and its users call things, in small letters."""
    return frozenset(_read("words.txt").split())


@cache
def known_terms() -> frozenset[str]:
    """The ordinary words, and all others of the standard's codes: names of diseases, too."""
    return ordinary_words() | frozenset(_read("terms.txt").split())


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table that tools/deidentify_tables.py made; its first line is its source."""
    return list(csv.DictReader(_read(name).splitlines()[1:]))


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
