"""What is burned into pixels, or drawn in documents: blanked by a site's rules, else held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydicom._uid_dict import UID_dictionary

from router import Hold, When

from .repeating import overlay_in_pixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

    from router import Instance

Rectangles: TypeAlias = list[tuple[int, int, int, int]]
# As options are read: one rule with its keys. `blank` is a list of x, y, width, height.
Rule: TypeAlias = dict[
    Literal["when", "blank", "document"], Rectangles | Literal["keep", "replace"] | When
]

_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_DOCUMENT = 0x00420011
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_RISKY = {
    "an ultrasound image": ("3", "3.1", "6", "6.1", "6.2"),
    "a secondary capture image": ("7", "7.1", "7.2", "7.3", "7.4"),
    "a visible light image": (
        *("77.1", "77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.3", "77.1.4", "77.1.4.1"),
        *("77.1.5.1", "77.1.5.2", "77.1.7", "77.2"),
    ),
}
_RISKY_CLASSES = {_STORAGE + part: told for told, parts in _RISKY.items() for part in parts}
_RISKY_MODALITIES = {"US": "an ultrasound image", "IVUS": "an ultrasound image"} | dict.fromkeys(
    ("ES", "XC", "GM", "DMS"), "a visible light image"
)
_SCREEN = ("SCREEN SAVE", "SCREENSAVE", "SCREEN", "SCREENSHOT", "SCREEN CAPTURE", "SCREEN_SAVE")


@dataclass(frozen=True)
class PixelRule:
    """What a site has found out about a kind of image: where text is burned in, if anywhere."""

    when: When
    rectangles: Sequence[tuple[int, int, int, int]]
    document: Literal["keep", "replace"] | None


def read_rules(rules: Iterable[Rule]) -> list[PixelRule]:
    """The rules as options have them; ValueError for what is missing or makes no sense."""
    read = []
    for number, rule in enumerate(rules, 1):
        when, blank, document = rule.get("when"), rule.get("blank"), rule.get("document")
        if when is None or isinstance(when, list | str):
            raise ValueError(f"rule {number} for pixels needs `when`: which images it is for")
        if (blank is None) == (document is None):
            raise ValueError(
                f"rule {number} for pixels needs `blank`, rectangles of [x, y, width, height] "
                "([] where nothing is burned in), or `document: keep` or `replace`"
            )
        if blank is not None and not isinstance(blank, list):
            raise ValueError(f"rule {number} for pixels: `blank` takes a list of rectangles")
        if document not in (None, "keep", "replace"):
            raise ValueError(f"rule {number} for pixels: `document` is keep or replace")
        for x, y, width, height in blank or ():
            if x < 0 or y < 0 or width <= 0 or height <= 0:
                raise ValueError(
                    f"rule {number} for pixels: [{x}, {y}, {width}, {height}] is no rectangle of "
                    "x, y, width and height"
                )
        read.append(PixelRule(when, tuple(blank or ()), document))
    return read


def clean_pixels(instance: Instance, rules: Iterable[PixelRule]) -> bool:
    """Blank what the first rule that applies says; True where one did.

    Raises Hold where text may be burned in and no rule says where, before anything is changed.
    """
    dataset = instance.dataset
    if (group := overlay_in_pixels(dataset)) is not None:
        raise Hold(f"overlay {group:04X} is in unused bits of the pixels, and would stay there")
    has_pixels = any(tag in dataset for tag in _PIXELS)
    if not has_pixels:
        return False
    rule = next((each for each in rules if not each.document and each.when.matches(instance)), None)
    if rule is None:
        if risk := _risk(dataset):
            raise Hold(f"it is {risk}, in which text may be burned in, and no rule says where")
        return False
    if rule.rectangles:
        _require_inside(rule.rectangles, dataset)
        instance.blank(rule.rectangles)
    return True


def _require_inside(rectangles: Iterable[tuple[int, int, int, int]], dataset: Dataset) -> None:
    """A rectangle beside the image is of another kind of image: its text would stay."""
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    for x, y, width, height in rectangles:
        if x >= columns or y >= rows:
            raise Hold(
                f"the rule's rectangle [{x}, {y}, {width}, {height}] is outside of the image "
                f"({columns} x {rows}): give the rule Rows and Columns"
            )


def keeps_document(instance: Instance, rules: Iterable[PixelRule]) -> bool:
    """Whether a rule lets the encapsulated document stay; Hold where none says what to do.

    Where it is not what the object is for, it is an attribute that the profile replaces.
    """
    if _DOCUMENT not in instance.dataset:
        return False
    for rule in rules:
        if rule.document and rule.when.matches(instance):
            return rule.document == "keep"
    if instance.sop_class_uid.startswith(_STORAGE + "104."):
        raise Hold("it has an encapsulated document, which no rule says to keep or to replace")
    return False


def _risk(dataset: Dataset) -> str | None:
    """What makes burned-in text likely; None where nothing does."""
    if _values(dataset, "BurnedInAnnotation") == ["YES"]:
        return "an image that says text is burned in"
    for value in _values(dataset, "SOPClassUID"):
        if told := _RISKY_CLASSES.get(value):
            return told
    for value in _values(dataset, "Modality"):
        if told := _RISKY_MODALITIES.get(value):
            return told
    sop_class = str(dataset.get("SOPClassUID") or "")
    if "ConversionType" in dataset and sop_class not in UID_dictionary:
        return "a secondary capture image"
    kinds = _values(dataset, "ImageType")
    if any(kind in _SCREEN for kind in kinds):
        return "a screen save"
    if {"LABEL", "OVERVIEW"} & set(kinds):
        return "a label or overview of a slide"
    return None


def _values(dataset: Dataset, keyword: str) -> list[str]:
    value = dataset.get(keyword)
    if value is None:
        return []
    several = [value] if isinstance(value, str) else list(value)
    return [str(each).strip(" \0").upper() for each in several]
