"""Which private elements are safe to keep (PS3.15 E.3.10): those of a list, by their creators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .profile import safe_private_elements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from router import ElementPath


class SafePrivate:
    """The shipped list, and what the site adds to it; ValueError for what is not private."""

    def __init__(self, added: Iterable[ElementPath]) -> None:
        own = set()
        for path in added:
            step = path.steps[-1]
            if step.creator is None:
                raise ValueError(f"{path} is not private: write it as (gggg,ee,CREATOR)")
            own.add((step.tag >> 16, step.creator.casefold(), step.tag & 0xFF))
        self._known = safe_private_elements() | own

    def elements(self, dataset: Dataset) -> set[int]:
        """The tags of the safe elements of this level, with those of their creators."""
        safe: set[int] = set()
        creators: dict[tuple[int, int], str] = {}
        for tag in sorted(tag for tag in dataset.keys() if tag.is_private):  # noqa: SIM118
            if tag.is_private_creator:
                text = str(dataset[tag].value).strip(" \0").casefold()
                creators[tag.group, tag.element] = text
                continue
            block = tag.element >> 8
            known = (tag.group, creators.get((tag.group, block), ""), tag.element & 0xFF)
            if known in self._known:
                safe |= {int(tag), tag.group << 16 | block}
        return safe
