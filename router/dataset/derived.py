"""A data set that says its pixels have been compressed with loss (PS3.3 C.7.6.1.1.5, C.12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, uuid5

from pydicom.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_DESCRIPTION = 1024  # ST


def record_loss(dataset: Dataset, method: str, ratio: float, description: str) -> None:
    """Make it an instance of its own, derived from the one it was, with another SOP Instance UID.

    The UID follows from the old one and the description: the same again for the same.
    `method` is a Defined Term such as ISO_15444_1.
    """
    _append(dataset, "SourceImageSequence", _source(dataset))
    _append(dataset, "DerivationCodeSequence", _code("113040", "Lossy Compression"))
    earlier = str(dataset.get("DerivationDescription") or "")
    text = "; ".join(filter(None, [earlier, description]))
    dataset.DerivationDescription = text if len(text) <= _LONGEST_DESCRIPTION else description
    dataset.ImageType = ["DERIVED", *_values(dataset, "ImageType")[1:]]
    dataset.LossyImageCompression = "01"
    for keyword, value in (
        ("LossyImageCompressionRatio", f"{ratio:.2f}"),
        ("LossyImageCompressionMethod", method),
    ):
        setattr(dataset, keyword, [*_values(dataset, keyword), value])
    name = f"{dataset.SOPInstanceUID} {description}"
    dataset.SOPInstanceUID = f"2.25.{uuid5(NAMESPACE_OID, name).int}"  # PS3.5 B.2


def _source(dataset: Dataset) -> Dataset:
    source = Dataset()
    source.ReferencedSOPClassUID = dataset.SOPClassUID
    source.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    source.PurposeOfReferenceCodeSequence = [_code("121320", "Uncompressed predecessor")]
    return source


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _append(dataset: Dataset, keyword: str, item: Dataset) -> None:
    setattr(dataset, keyword, [*(dataset.get(keyword) or ()), item])


def _values(dataset: Dataset, keyword: str) -> Sequence[object]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    return [value] if dataset[keyword].VM == 1 else list(value)
