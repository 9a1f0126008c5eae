"""Gives what comes back its patient again: `- reidentify: {secret: !file KEY, map: map.sqlite}`.

For results (SR, SEG) of instances that `deidentify` with `reversible: true` sent out.
"""

from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from router import Hold, Instance, hookimpl

from .deidentify.reversal import ReversalMap
from .deidentify.surrogates import Surrogates

_SAYS_REMOVED = (
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    "LongitudinalTemporalInformationModified",
)


class Reidentify:
    def __init__(self, secret: str, map: Path) -> None:  # noqa: A002 - the option's name
        self._map = ReversalMap(map, Surrogates(secret))

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        dataset = instance.dataset
        about = self._map.study(str(dataset.get("StudyInstanceUID") or ""))
        if about is None:
            raise Hold("the map has nothing of this study: it was not sent from here")
        if self._map.uid(str(dataset.get("SOPInstanceUID") or "")) is not None:
            raise Hold("it is an instance that was sent out, not a result: the original is here")
        for level in _levels(dataset):
            self._restore_uids(level)
        for keyword in _SAYS_REMOVED:
            if keyword in dataset:
                del dataset[keyword]
        for element in about:
            dataset[element.tag] = element
        if not all(str(element.value).isascii() for element in about):
            dataset.SpecificCharacterSet = "ISO_IR 192"

    def _restore_uids(self, level: Dataset) -> None:
        for tag, raw in list(level.items()):
            if raw.VR == "UI" or (raw.VR in (None, "UN") and level[tag].VR == "UI"):
                value = level[tag].value
                several = list(value) if isinstance(value, MultiValue) else [value or ""]
                restored = [self._map.uid(str(each)) or str(each) for each in several]
                if restored != list(map(str, several)):
                    level[tag].value = restored[0] if len(restored) == 1 else restored


def _levels(dataset: Dataset) -> Iterator[Dataset]:
    waiting = [dataset]
    while waiting:
        level = waiting.pop()
        yield level
        for raw in level.values():
            if isinstance(raw.value, Sequence):
                waiting += raw.value
