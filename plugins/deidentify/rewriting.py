"""The walk over a data set that does to every element, at every level, what the profile says."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from router import Hold, repeated_elements

from .profile import FULL_DATES, MODIFIED_DATES, Action
from .repeating import repeating_action
from .replacing import (
    BINARY_VRS,
    DUMMY_TEXT,
    TEXT_VRS,
    cleaned_text,
    dummy,
    element,
    emptied,
    is_ordinary,
    settled_vr,
    text_item,
)
from .surrogates import shifted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    from .private import SafePrivate
    from .profile import Profile
    from .surrogates import Surrogates

    Found = DataElement | RawDataElement

_OF_VALUES = (Action.SHIFT, Action.CLEAN_DEVICE)  # what is done to no sequence
_CONTENT_SEQUENCE = 0x0040A730
# What makes a code: of its own it names nobody, and cleaned it would mean nothing.
_CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080119, 0x00080120, 0x0008010F})
_TIME = re.compile(r"(?:\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?|[+-]\d{4})?")


class Mode(Enum):
    """What becomes of attributes that the profile does not list."""

    KEEP = auto()
    CLEAN = auto()  # below a sequence that is cleaned: of text only ordinary words stay
    DUMMY = auto()  # below a sequence that is replaced: nothing stays


class Rewriting:
    """One instance's de-identification; its dates are moved by `days`.

    `identifying` are words, in small letters, that go from every text that is cleaned.
    """

    def __init__(
        self,
        profile: Profile,
        surrogates: Surrogates,
        safe: SafePrivate | None,
        days: int,
        identifying: Collection[str],
    ) -> None:
        self._everywhere = profile.everywhere
        self._options = profile.options
        self._surrogates = surrogates
        self._safe = safe
        self._days = days
        self._identifying = identifying
        self.uids: dict[str, str] = {}  # those given, and what they stand for

    def rewrite(
        self, dataset: Dataset, actions: Mapping[int, Action], mode: Mode = Mode.KEEP
    ) -> None:
        """Change a data set and all items below it; `actions` are for this level."""
        if repeated := repeated_elements(dataset):
            raise Hold(f"{repeated[0]} is there twice, and nobody can tell which of them is meant")
        safe = self._safe.elements(dataset) if self._safe else ()
        plain = mode is Mode.KEEP
        for tag, found in list(dataset.items()):
            action = actions.get(int(tag))  # an int compares faster than a tag
            if action is None:
                if tag in safe:
                    found = dataset[tag]  # of which pydicom may know the VR
                action = self._unlisted(dataset, tag, found, safe)
                if action is Action.KEEP:
                    if plain and not (found.VR == "SQ" or _is_sequence(tag)):
                        continue
                    if mode is Mode.DUMMY:
                        action = Action.DUMMY
                    elif mode is Mode.CLEAN and tag not in _CODES:
                        action = Action.CLEAN_TEXT
            if action is Action.REMOVE:
                del dataset[tag]
            elif found.VR == "SQ" or settled_vr(tag, found.VR) == "SQ":
                self._sequence(dataset, tag, found, action, mode)
            elif action is not Action.KEEP:
                self._value(dataset, tag, settled_vr(tag, found.VR), action)

    def _unlisted(
        self, dataset: Dataset, tag: BaseTag, found: Found, safe: Collection[int]
    ) -> Action:
        if tag.group % 2:
            return self._private(found) if tag in safe else Action.REMOVE
        if tag.group >> 8 in (0x50, 0x60):
            return repeating_action(dataset, tag, "clean_graphics" in self._options)
        return _standard(tag)

    def _private(self, found: Found) -> Action:
        """What becomes of a safe element: of its kind are dates and UIDs all the same."""
        if found.VR == "UI" and "retain_uids" not in self._options:
            return Action.UID
        if found.VR in ("DA", "DT") and FULL_DATES not in self._options:
            return Action.SHIFT if MODIFIED_DATES in self._options else Action.REMOVE
        return Action.REMOVE if found.VR == "PN" else Action.KEEP

    def _sequence(
        self, dataset: Dataset, tag: BaseTag, found: Found, action: Action, mode: Mode
    ) -> None:
        is_listed = int(tag) in self._everywhere
        if (is_listed and settled_vr(tag, "SQ") != "SQ") or action in _OF_VALUES:
            raise Hold(f"{tag} is a sequence, and should be none")
        if action is Action.EMPTY:
            dataset[tag] = emptied(tag, "SQ")
            return
        items = _items(dataset, tag, found)
        if action is Action.DUMMY and tag == _CONTENT_SEQUENCE and items:
            dataset[tag] = element(tag, "SQ", Sequence([text_item()]))
            return
        if action is Action.DUMMY:
            mode = Mode.DUMMY
        elif action in (Action.CLEAN_TEXT, Action.CLEAN_ITEMS) and mode is Mode.KEEP:
            mode = Mode.CLEAN
        for item in items:
            self.rewrite(item, self._everywhere, mode)

    def _value(self, dataset: Dataset, tag: BaseTag, vr: str, action: Action) -> None:
        if action is Action.EMPTY:
            dataset[tag] = emptied(tag, vr)
        elif action is Action.UID or (vr == "UI" and action is Action.DUMMY):
            self._replace_uids(dataset, tag)
        elif action is Action.DUMMY:
            self._dummy(dataset, tag, vr)
        elif vr in BINARY_VRS or vr == "UN":
            self._binary(dataset, tag, vr, action)
        else:
            texts = _texts(dataset, tag)
            if texts is None:
                dataset[tag] = dummy(tag, vr)
            elif action is Action.SHIFT:
                self._shift(dataset, tag, vr, texts)
            elif action is Action.CLEAN_DEVICE:
                titles = [self._surrogates.title(text) for text in texts]
                dataset[tag] = element(tag, vr, titles)
            else:
                self._clean(dataset, tag, vr, texts)

    def _dummy(self, dataset: Dataset, tag: BaseTag, vr: str) -> None:
        """A dummy of as many values as there were, where numbers have to fit their number."""
        if vr == "CS" and self._everywhere.get(tag) is None:
            self._clean(dataset, tag, vr, _texts(dataset, tag) or [])
            return
        made = dummy(tag, vr)
        if vr in ("FL", "FD", "SL", "SS", "UL", "US") and (several := dataset[tag].VM) > 1:
            made = element(tag, vr, [0] * several)
        dataset[tag] = made

    def _binary(self, dataset: Dataset, tag: BaseTag, vr: str, action: Action) -> None:
        """Nobody can clean bytes: what the profile lists goes, what it does not list is no text."""
        if action is Action.SHIFT:
            dataset[tag] = dummy(tag, vr)
        elif vr == "UN" or tag in self._everywhere:
            del dataset[tag]

    def _replace_uids(self, dataset: Dataset, tag: BaseTag) -> None:
        texts = _texts(dataset, tag)
        if texts is None:
            raise Hold(f"{tag} is no UID, and cannot be replaced by one")
        made = [self._uid(text) for text in texts]
        if made:
            dataset[tag] = element(tag, "UI", made[0] if len(made) == 1 else made)

    def _uid(self, uid: str) -> str:
        made = self._surrogates.uid(uid)
        if made != uid:
            self.uids[made] = uid
        return made

    def _shift(self, dataset: Dataset, tag: BaseTag, vr: str, texts: list[str]) -> None:
        """Move dates, leave times and time zones; what is none of them gets a dummy."""
        if not texts:
            return
        if vr in ("DA", "DT"):
            moved = [shifted(text, self._days) for text in texts]
            if None not in moved:
                dataset[tag] = element(tag, vr, moved[0] if len(moved) == 1 else moved)
                return
        elif dataset[tag].VR in ("TM", "SH") and all(map(_TIME.fullmatch, texts)):
            return
        dataset[tag] = dummy(tag, vr)

    def _clean(self, dataset: Dataset, tag: BaseTag, vr: str, texts: list[str]) -> None:
        if vr not in TEXT_VRS:
            if vr in ("AE", "UR"):
                dataset[tag] = dummy(tag, vr)
            return
        if vr == "CS":
            ordinary = all(is_ordinary(text, self._identifying) for text in texts)
            made = texts if ordinary else [DUMMY_TEXT]
        else:
            made = [cleaned_text(text, self._identifying) for text in texts]
        if made != texts:
            needs_one = self._everywhere.get(tag) is None
            filled = [text or (DUMMY_TEXT if needs_one else "") for text in made]
            dataset[tag] = element(tag, vr, filled[0] if len(filled) == 1 else filled)


@lru_cache(maxsize=16384)
def _standard(tag: BaseTag) -> Action:
    """What becomes of an attribute of the standard that the profile does not list.

    What no dictionary knows is nobody's promise to be harmless, and group lengths are retired.
    """
    known = dictionary_has_tag(tag) and tag.element
    return Action.KEEP if known else Action.REMOVE


@lru_cache(maxsize=16384)
def _is_sequence(tag: BaseTag) -> bool:
    return not tag.is_private and dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _items(dataset: Dataset, tag: BaseTag, found: Found) -> list[Dataset]:
    """The items of what is a sequence, or has to be one."""
    if isinstance(found.value, Sequence):
        return list(found.value)
    if not found.value and type(found.value) in (bytes, type(None)):
        return []
    if found.VR not in ("UN", None) or not isinstance(found, RawDataElement):
        raise Hold(f"{tag} should be a sequence, and cannot be looked into")
    # UN, and what is below it, has items in Implicit VR Little Endian, whatever is around it
    # (PS3.5 6.2.2 note 2).
    raw = found._replace(VR="SQ", is_implicit_VR=True, is_little_endian=True)
    try:
        parsed = convert_raw_data_element(raw, encoding=dataset._character_set, ds=dataset)
    except Exception:
        raise Hold(f"{tag} should be a sequence, and cannot be looked into") from None
    dataset[tag] = parsed
    return list(parsed.value)


def _texts(dataset: Dataset, tag: BaseTag) -> list[str] | None:
    """The values of an element as text; None of what has none, as it is kept by reference."""
    value = dataset[tag].value
    if value is None or value == "":
        return []
    if isinstance(value, bytes):
        return None
    several = value if isinstance(value, MultiValue | list) else [value]
    return [str(each).strip(" \0") for each in several]
