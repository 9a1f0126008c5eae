"""Overlays and curves, whose groups repeat (PS3.5 7.6): the Clean Graphics Option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .profile import Action

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

_OVERLAY_TYPE, _OVERLAY_DATA, _BIT_POSITION = 0x0040, 0x3000, 0x0102
_TEXT = frozenset({0x0022, 0x1500, 0x4000})


def repeating_action(dataset: Dataset, tag: BaseTag, clean_graphics: bool) -> Action:
    """What becomes of an element of a curve (all retired) or overlay.

    Without its data the rest of an overlay is invalid, so all of it goes. Text may be drawn into
    a graphic overlay; one that marks a region of interest is cleaned of its words and stays.
    """
    kind = dataset.get(tag.group << 16 | _OVERLAY_TYPE)
    is_region = tag.group >> 8 == 0x60 and kind is not None and str(kind.value).strip() == "R"
    if not clean_graphics or not is_region or not tag.element:
        return Action.REMOVE
    return Action.CLEAN_TEXT if tag.element in _TEXT else Action.KEEP


def overlay_in_pixels(dataset: Dataset) -> int | None:
    """The group of an overlay that is kept in unused bits of the pixels (retired), if any."""
    for tag in dataset.keys():  # noqa: SIM118 - as tags
        if tag & 0xFF01FFFF == 0x60000000 | _BIT_POSITION:
            group = tag >> 16
            if dataset[tag].value and group << 16 | _OVERLAY_DATA not in dataset:
                return group
    return None
