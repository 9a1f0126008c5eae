"""Copies elements: `- copy: {OtherPatientIDs: PatientID}`, to the left from the right.

All copies are of the instance as it was before this step, so two elements can be exchanged. What
is missing is not copied: then the element on the left stays as it is.
"""

from copy import deepcopy

from pydicom.dataelem import DataElement

from router import (
    ElementPath,
    Instance,
    element_places,
    element_vr,
    hookimpl,
    read_texts,
    write_texts,
)


class CopyElements:
    def __init__(self, sources: dict[ElementPath, ElementPath], /) -> None:
        self._sources = sources
        for target, source in sources.items():
            if "SQ" in (element_vr(target), element_vr(source)) and not _alike(target, source):
                told = f"{target} has VR {element_vr(target)}, {source} {element_vr(source)}"
                raise ValueError(f"{told}: a sequence is copied to a sequence only")

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        found = [
            (target, _found(instance, source, _alike(target, source)))
            for target, source in self._sources.items()
        ]
        for target, copied in found:
            if copied is None:
                continue
            for dataset, tag in element_places(instance.dataset, target, create=True):
                if isinstance(copied, list):
                    write_texts(dataset, tag, copied)
                else:
                    made = deepcopy(copied)
                    made.tag = tag
                    dataset[tag] = made

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _alike(target: ElementPath, source: ElementPath) -> bool:
    return element_vr(target) == element_vr(source)


def _found(instance: Instance, path: ElementPath, alike: bool) -> DataElement | list[str] | None:
    """The element where the path leads to first, or its texts for one of another VR."""
    for dataset, tag in element_places(instance.dataset, path):
        if tag in dataset:
            return deepcopy(dataset[tag]) if alike else read_texts(dataset, tag)
    return None
