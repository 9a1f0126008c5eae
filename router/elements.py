"""Element paths followed in an instance, for plugins that read or change what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag, private_dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from router.dataset import Path as ElementPath
from router.dataset import Step, values
from router.instance import Hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.instance import Instance

__all__ = [
    "ElementPath",
    "element_places",
    "element_texts",
    "element_value",
    "element_vr",
    "levels",
    "read_texts",
    "write_texts",
]

_WHOLE_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "US or SS"})
_BINARY_FRACTIONS = frozenset({"FL", "FD"})
_WITHOUT_TEXT = frozenset({"SQ", "AT", "UN", "OB", "OD", "OF", "OL", "OV", "OW"})


def element_places(
    dataset: Dataset, path: ElementPath, *, create: bool = False
) -> Iterator[tuple[Dataset, BaseTag]]:
    """Where the element is, or would be: the data sets (the items of sequences) and its tag there.

    With `create` a sequence that is missing or empty gets one item, and a private creator its
    block; otherwise what is not there is passed over. A path that begins with `**` leads only
    to where the element is, whatever `create` says.
    """
    *sequences, last = path.steps
    create = create and not path.everywhere
    datasets = list(levels(dataset)) if path.everywhere else [dataset]
    for step in sequences:
        datasets = [item for each in datasets for item in _items(each, step, create)]
    for each in datasets:
        tag = _tag(each, last, create)
        if tag is not None and (tag in each or not path.everywhere):
            yield each, tag


def levels(dataset: Dataset) -> Iterator[Dataset]:
    """The data set and the items of its sequences at any depth, outermost first."""
    waiting = [dataset]
    while waiting:
        each = waiting.pop()
        yield each
        for tag in list(each.keys()):
            if tag in each and each.get_item(tag).VR == "SQ":
                waiting += each[tag].value


def element_texts(instance: Instance, path: ElementPath) -> list[str]:
    """Every value of the element as text, as the instance is now, without empty ones."""
    if instance._dataset is None:  # nothing has been changed since: spares opening it
        source = instance._sealed or instance._source
        return list(filter(None, values(source.scan, path) or ()))
    found: list[str] = []
    for parent, tag in element_places(instance.dataset, path):
        if tag in parent and not isinstance(parent[tag].value, bytes):
            found += read_texts(parent, tag)
    return list(filter(None, found))


def read_texts(dataset: Dataset, tag: BaseTag) -> list[str]:
    """The values of an element as texts without padding, none where it is missing or empty.

    Raises `Hold` for what has no text to be worked on: binary values, sequences, and texts so
    long (over 64 KiB) that they stay in their file.
    """
    if tag not in dataset:
        return []
    try:
        element = dataset[tag]
        if element.VR == "SQ" or (isinstance(element.value, bytes) and _has_bytes(element)):
            raise Hold(f"{_name(tag)} has no text to work on (VR {element.VR})")
        if element.value is None or isinstance(element.value, bytes):
            return []
        several = element.value if element.VM > 1 else [element.value]
        texts = [str(value).strip(" \0") for value in several if value is not None]
    except (ValueError, TypeError, OverflowError):
        raise Hold(f"{_name(tag)} cannot be read as what its VR says") from None
    return texts if any(texts) else []


def write_texts(dataset: Dataset, tag: BaseTag, texts: Sequence[str]) -> None:
    """Give an element these values, made as its VR wants them; none make it empty.

    Raises `Hold`, without the value, where they do not fit the VR (PS3.5 6.2).
    """
    vr = _vr_in(dataset, tag)
    try:
        value = element_value(vr, texts)
    except (ValueError, OverflowError):
        told = f"{_name(tag)} does not take what it is to be set to (VR {vr})"
        raise Hold(told) from None
    dataset[tag] = DataElement(tag, vr, value)


def element_vr(path: ElementPath) -> str:
    """The VR the dictionaries know for what the path leads to: LO for private ones unknown to
    them, `US or SS` where it depends, UN else.
    """
    step = path.steps[-1]
    try:
        if step.creator:
            return private_dictionary_VR(step.tag, step.creator)
        return dictionary_VR(step.tag)
    except KeyError:
        return "LO" if step.creator else "UN"


def element_value(vr: str, texts: Sequence[str]) -> object:
    """What pydicom takes as the value of an element of this VR; ValueError where it cannot be."""
    if vr[-2:] in _WITHOUT_TEXT:
        raise ValueError(f"VR {vr} has no text")
    made: list[object] = list(texts)
    if vr in _WHOLE_NUMBERS:
        made = [int(text) for text in texts]
    elif vr in _BINARY_FRACTIONS:
        made = [float(text) for text in texts]
    value = made[0] if len(made) == 1 else made or None
    checked = "US" if vr == "US or SS" and all(int(text) >= 0 for text in texts) else vr[-2:]
    DataElement(0x00080060, checked, value, validation_mode=config.RAISE)
    return value


def _vr_in(dataset: Dataset, tag: BaseTag) -> str:
    """The VR of an element where it is: the dictionary's, its own where that does not know."""
    try:
        if not tag.is_private:
            return dictionary_VR(tag)
        if tag.is_private_creator:
            return "LO"
        return private_dictionary_VR(tag, dataset[tag.private_creator].value)
    except KeyError:
        own = dataset[tag].VR if tag in dataset else "UN"
        return own if own != "UN" or not tag.is_private else "LO"


def _has_bytes(element: DataElement) -> bool:
    return bool(element.value) or hasattr(element.value, "reference")


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or str(tag)


def _items(dataset: Dataset, step: Step, create: bool) -> list[Dataset]:
    tag = _tag(dataset, step, create)
    if tag is None:
        return []
    if tag not in dataset or not dataset[tag].value:
        if not create:
            return []
        dataset.add_new(tag, "SQ", [Dataset()])
    element = dataset[tag]
    return list(element.value) if element.VR == "SQ" else []


def _tag(dataset: Dataset, step: Step, create: bool) -> BaseTag | None:
    if step.creator is None:
        return Tag(step.tag)
    try:
        block = dataset.private_block(step.tag >> 16, step.creator, create=create)
    except KeyError:
        return None
    return block.get_tag(step.tag & 0xFF)
