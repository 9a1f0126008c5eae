"""Putting a file's bytes in the place of an element's value."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from pydicom.tag import BaseTag

from router.dataset.encoding import (
    EXPLICIT_LITTLE,
    ITEM,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    implicit_vr,
)
from router.dataset.opened import BulkValue, converted
from router.dataset.paths import Step, parse_path
from router.dataset.segments import FileRange

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ENCAPSULATED_DOCUMENT, _ENCAPSULATED_DOCUMENT_LENGTH = 0x00420011, 0x00420015
_FIRST_ITEM = EXPLICIT_LITTLE.header(ITEM, "", 0)[:4]
_CLOSED = EXPLICIT_LITTLE.header(SEQUENCE_DELIMITATION, "", 0)


def replace_value(dataset: Dataset, path: str, file: IO[bytes], encapsulated: bool) -> None:
    """Let the element at `path`, made if need be, refer to what has been written to `file`.

    `file` is padded to even length; of `encapsulated` pixels it has to be the fragments, and is
    closed if it is not. ValueError where `path` leads to no one place, or the pixels are no
    fragments.
    """
    *above, last = parse_path(path).steps
    holders = [dataset]
    for step in above:
        holders = [item for holder in holders for item in _items(holder, step)]
    if len(holders) != 1:
        raise ValueError(f"{path} leads to {len(holders)} places: replace one value at a time")
    (holder,) = holders
    tag = _tag(holder, last)
    if tag is None:
        raise ValueError(f"{path}: no such private creator here")
    length = file.tell()
    fragments = encapsulated and tag == PIXEL_DATA
    if fragments:
        _close_fragments(file)
    elif length % 2:
        file.write(b"\0")
    value = BulkValue(FileRange(os.path.abspath(file.name), 0, file.tell()), fragments)
    vr = holder[tag].VR if tag in holder else implicit_vr(tag)
    holder[tag] = converted(tag, vr, value, fragments)
    if tag == _ENCAPSULATED_DOCUMENT and _ENCAPSULATED_DOCUMENT_LENGTH in holder:
        holder[_ENCAPSULATED_DOCUMENT_LENGTH].value = length


def _items(holder: Dataset, step: Step) -> list[Dataset]:
    tag = _tag(holder, step)
    element = holder.get(tag) if tag is not None else None
    return list(element.value) if element is not None and element.VR == "SQ" else []


def _tag(holder: Dataset, step: Step) -> BaseTag | None:
    if step.creator is None:
        return BaseTag(step.tag)
    try:
        return holder.private_block(step.tag >> 16, step.creator).get_tag(step.tag & 0xFF)
    except KeyError:
        return None


def _close_fragments(file: IO[bytes]) -> None:
    file.seek(0)
    if file.read(4) != _FIRST_ITEM:
        raise ValueError("pixels of a compressed transfer syntax have to be given encapsulated")
    file.seek(-8, os.SEEK_END)
    if file.read(8) != _CLOSED:
        file.write(_CLOSED)
