"""Data sets made for examples: a few elements, and what every instance has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import config
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from router.dataset import open_dataset, scan_segments, segments
from router.elements import element_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.dataset import Path, Scan, Segment

    Header = Mapping[Path, tuple[str, ...]]

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

_NEEDED = {
    "SpecificCharacterSet": "ISO_IR 192",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
    "SOPInstanceUID": "2.25.1",
    "StudyInstanceUID": "2.25.2",
    "SeriesInstanceUID": "2.25.3",
}
_WHOLE_NUMBERS = ("US", "SS", "UL", "SL", "UV", "SV")
_FRACTIONS = ("FL", "FD")


def make_data_set(header: Header) -> bytes:
    """These elements and the UIDs that are not among them, in Explicit VR Little Endian.

    Raises ValueError for a value that its element cannot have.
    """
    dataset = Dataset()
    for keyword, value in _NEEDED.items():
        setattr(dataset, keyword, value)
    _put(dataset, header)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, dataset, dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    return buffer.getvalue()


def change_data_set(
    given: tuple[Segment, ...], scan: Scan, header: Header
) -> tuple[tuple[Segment, ...], Scan]:
    """A data set with these elements instead of its own. Raises ValueError as `make_data_set`."""
    dataset = open_dataset(scan)
    _put(dataset, header)
    changed = tuple(segments(dataset, scan, given))
    return changed, scan_segments(changed, scan.transfer_syntax)


def _put(dataset: Dataset, header: Header) -> None:
    for path, given in header.items():
        vr = _vr(path)
        values = [_value(each, vr, path) for each in given]
        value = values[0] if len(values) == 1 else values or None
        for parent, tag in element_places(dataset, path, create=True):
            parent[tag] = DataElement(tag, vr, value, config.IGNORE)


def _value(given: str, vr: str, path: Path) -> str | int | float:
    try:
        if vr in _WHOLE_NUMBERS:
            return int(given)
        return float(given) if vr in _FRACTIONS else given
    except ValueError:
        raise ValueError(f"{path} has VR {vr} and wants a number") from None


def _vr(path: Path) -> str:
    """The element's VR; of several possible the first (`US or SS`)."""
    step = path.steps[-1]
    try:
        if step.creator:
            return private_dictionary_VR(step.tag, step.creator)[:2]
        return dictionary_VR(step.tag)[:2]
    except KeyError:
        return "LO"
