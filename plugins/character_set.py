"""Writes all text in UTF-8: `- character_set`, also text in items of sequences.

Text that cannot be read for sure holds the copy: where a data set has more than ASCII and names
no character set (give its peer `assume_character_set`), or bytes its character set does not have.
"""

import warnings

from pydicom.dataset import Dataset

from router import Hold, Instance, hookimpl, levels

_UTF_8 = "ISO_IR 192"
_TEXT_VRS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
_NONE_NAMED = ["iso8859"]  # what pydicom reads text by where no character set is known


class CharacterSet:
    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        found = list(levels(instance.dataset))
        for dataset in found:
            _check(dataset)
        for dataset in found:
            if dataset is instance.dataset or "SpecificCharacterSet" in dataset:
                dataset.SpecificCharacterSet = _UTF_8

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _check(dataset: Dataset) -> None:
    """Raise `Hold` for text that would be written as something it does not say."""
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if isinstance(raw.value, bytes) and raw.value.isascii() and b"\x1b" not in raw.value:
            continue
        with warnings.catch_warnings(action="ignore"):  # pydicom's, about what is asked here
            element = dataset[tag]
        if element.VR not in _TEXT_VRS:
            continue
        text = str(element.value)
        if "\ufffd" in text:
            raise Hold("it has text with bytes that its character set does not have")
        if not text.isascii() and dataset.original_character_set == _NONE_NAMED:
            raise Hold("it has text beyond ASCII and names no character set")
