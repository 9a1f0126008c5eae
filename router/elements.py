"""Element paths followed in an instance, for plugins that read or change what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from router.dataset import Path as ElementPath
from router.dataset import Step, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.instance import Instance

__all__ = ["ElementPath", "element_places", "element_texts"]


def element_places(
    dataset: Dataset, path: ElementPath, *, create: bool = False
) -> Iterator[tuple[Dataset, BaseTag]]:
    """Where the element is, or would be: the data sets (the items of sequences) and its tag there.

    With `create` a sequence that is missing or empty gets one item, and a private creator its
    block; otherwise what is not there is passed over.
    """
    *sequences, last = path.steps
    datasets = [dataset]
    for step in sequences:
        datasets = [item for each in datasets for item in _items(each, step, create)]
    for each in datasets:
        if (tag := _tag(each, last, create)) is not None:
            yield each, tag


def element_texts(instance: Instance, path: ElementPath) -> list[str]:
    """Every value of the element as text, as the instance is now, without empty ones."""
    if instance._dataset is None:  # nothing has been changed since: spares opening it
        source = instance._sealed or instance._source
        return list(filter(None, values(source.scan, path) or ()))
    found = []
    for parent, tag in element_places(instance.dataset, path):
        if tag in parent:
            element = parent[tag]
            several = element.value if element.VM > 1 else [element.value]
            found += [str(value).strip(" \0") for value in several if value is not None]
    return list(filter(None, found))


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
