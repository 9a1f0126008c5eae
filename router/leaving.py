"""The bytes of an instance, for plugins that look at what pydicom does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset import read_segments
from router.dataset.encoding import tag_text
from router.dataset.opened import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from router.instance import Instance


def repeated_elements(dataset: Dataset) -> list[str]:
    """The elements, as (gggg,eeee), that came more than once in this data set or item.

    The first is what `dataset` has; the others, which it cannot show, stay or leave with it.
    """
    origin = getattr(dataset, "_origin", None)
    if not isinstance(origin, Origin) or len(origin.spans) == len(origin.elements):
        return []
    tags = [span.tag for span in origin.spans]
    return [tag_text(tag) for tag in dict.fromkeys(tags) if tags.count(tag) > 1]


def written_header(instance: Instance) -> bytes:
    """Every byte that leaves but bulk values, in `verify_instance` and the hooks after it."""
    source = instance._sealed or instance._source
    return source.scan.header


def read_value(instance: Instance, value: bytes) -> Iterator[bytes]:
    """The bytes of a value of `instance.dataset` piece by piece, those of bulk from its file."""
    return read_segments(instance._located(value))
