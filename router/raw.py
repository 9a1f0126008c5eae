"""Elements as their bytes are, for plugins that look at what pydicom does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset import Bulk, Span, read_segments, scan_segments
from router.dataset.encoding import tag_text
from router.dataset.opened import Origin
from router.dataset.text import Level
from router.instance import Hold, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from router.instance import Instance

__all__ = ["Bulk", "Level", "Span", "leaving", "read_bulk", "received", "repeated_elements"]


def repeated_elements(dataset: Dataset) -> list[str]:
    """The elements, as (gggg,eeee), that came more than once in this data set or item.

    The first is what `dataset` has; the others, which it cannot show, stay or leave with it.
    """
    origin = getattr(dataset, "_origin", None)
    if not isinstance(origin, Origin) or len(origin.spans) == len(origin.elements):
        return []
    tags = [span.tag for span in origin.spans]
    return [tag_text(tag) for tag in dict.fromkeys(tags) if tags.count(tag) > 1]


def received(instance: Instance) -> Level:
    """The instance as received; raises `Hold` where it cannot be walked to its end."""
    return _walked(instance._original)


def leaving(instance: Instance) -> Level:
    """The instance as it leaves: when it has been rewritten, or would it leave now."""
    return _walked(_leaving(instance))


def read_bulk(instance: Instance, bulk: Bulk) -> Iterator[bytes]:
    """The bytes of a bulk value of `leaving(instance)`, piece by piece."""
    return read_segments(_leaving(instance).bulk(bulk))


def _leaving(instance: Instance) -> Source:
    if instance._sealed or instance._dataset is None:
        return instance._sealed or instance._source
    segments = instance.segments
    return Source(segments, scan_segments(segments, instance.transfer_syntax))


def _walked(source: Source) -> Level:
    if problem := source.scan.problem:
        raise Hold(f"the data set cannot be walked to its end: {problem.reason}")
    return Level.top(source.scan)
