"""Objects in which every attribute says whose it is, for tests of the de-identification."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pydicom
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from router.plugins.deidentify import Deidentify
from router.plugins.deidentify.profile import OPTIONS, table

from router.testing import make_instance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from router import Instance

SECRET = "a secret of more than sixteen bytes"
ENCODINGS = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
POSSIBLE = [each for each in OPTIONS if each != "clean_recognizable_visual_features"]
FULL, MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
ROWS = {
    int(row["tag"], 16): row
    for row in table("profile.csv")
    if row["tag"] != "private" and "x" not in row["tag"] and row["tag"][:4] not in ("0000", "0002")
}
ANATOMIC_REGION, WAVEFORM, ICON, PIXELS = 0x00082218, 0x54000100, 0x00880200, 0x7FE00010
TEXT = ("LO", "LT", "SH", "ST", "UC", "UT", "CS", "PN", "AE")
DAYS_APART = 11
# What is written on purpose, whatever was there.
WRITTEN = {0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303}


@dataclass(frozen=True)
class Marker:
    """A value that is nowhere else: `written` is how it looks in every encoding."""

    tag: int
    place: str
    vr: str
    value: object
    written: bytes


@dataclass
class Markers:
    found: list[Marker] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def element(self, tag: int, place: str) -> DataElement:
        """The attribute with a value of its own."""
        number, vr = next(self.numbers), vr_of(tag)
        if vr == "SQ":
            item = Dataset()
            told = f"QLEAKS{number:05}"
            item.CodeMeaning = told
            self.found.append(Marker(tag, place, vr, told, told.encode()))
            return DataElement(tag, "SQ", Sequence([item]))
        value = _value(vr, number)
        written = value if isinstance(value, bytes) else str(value).encode()
        if vr not in ("US", "SS", "UL", "SL", "FL", "FD", "AT"):
            self.found.append(Marker(tag, place, vr, value, written))
        return DataElement(tag, vr, value, already_converted=vr != "PN")

    def fill(self, dataset: Dataset, place: str, tags: Collection[int] = tuple(ROWS)) -> Dataset:
        """Give the data set all of the table's attributes, but for those it has already."""
        for tag in tags:
            if tag not in dataset and tag >> 16 not in (0, 2):
                dataset[tag] = self.element(tag, place)
        return dataset


def vr_of(tag: int) -> str:
    """A VR that is written the same with and without being told."""
    entry = DicomDictionary.get(tag)
    return entry[0][:2] if entry and entry[0] != "NONE" else "UN"


def _value(vr: str, number: int) -> object:
    if vr in TEXT:
        return f"QLEAK{number:05}"
    if vr in ("OB", "OW", "UN", "OF", "OL", "OD", "OV"):
        return f"QLEAKB{number:010}".encode()
    if vr == "UI":
        return f"1.2.826.0.1.3680043.77.{1000000 + number}.5"
    if vr == "DA":
        return _date(number)
    if vr == "DT":
        return _date(number) + "112233.44"
    if vr == "TM":
        return f"112233.{number:06}"
    if vr == "AS":
        return f"{number % 990 + 1:03}D"
    if vr == "UR":
        return f"http://host/{number:05}QLEAK"
    if vr in ("DS", "IS"):
        return f"77{number:07}"
    return number % 30000 + 1


def _date(number: int) -> str:
    """Days so far apart that moving all by the same number never gives another of them."""
    return (date(1850, 1, 1) + timedelta(DAYS_APART * number)).strftime("%Y%m%d")


def every_attribute() -> tuple[Dataset, list[Marker]]:
    """All of the table at every kind of place and level."""
    markers = Markers()
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"  # of an IOD nobody knows
    dataset.Modality = "CT"
    nested = [ANATOMIC_REGION, 0x00400260, WAVEFORM, 0x52009229, 0x00081140]
    within = Dataset()
    for depth, tag in enumerate(nested):
        level = markers.fill(Dataset(), f"{depth} levels down {tag:08X}", _without(nested))
        level.add_new(PIXELS, "OW", b"\0\1" * 8)
        if depth:
            level[tag] = DataElement(tag, "SQ", Sequence([within, markers_of(markers, tag)]))
        within = level
    dataset[ANATOMIC_REGION] = DataElement(ANATOMIC_REGION, "SQ", Sequence([within]))
    icon = markers.fill(Dataset(), "in the icon")
    icon.add_new(PIXELS, "OW", b"\1\0" * 8)
    dataset[ICON] = DataElement(ICON, "SQ", Sequence([icon]))
    waveform = markers.fill(Dataset(), "in the waveform")
    waveform.add_new(0x54001010, "OW", b"\2\0" * 70000)
    dataset[WAVEFORM] = DataElement(WAVEFORM, "SQ", Sequence([waveform]))
    dataset.add_new(PIXELS, "OW", b"\0\0" * 64)
    for group in (0x6000, 0x601E, 0x5000):
        for element in (0x0022, 0x1500, 0x4000, 0x3000):
            number = next(markers.numbers)
            value = _value("OW" if element == 0x3000 else "LO", number)
            written = value if isinstance(value, bytes) else str(value).encode()
            tag = group << 16 | element
            vr = "OW" if element == 0x3000 else "LO"
            markers.found.append(Marker(tag, "repeating", vr, value, written))
            dataset.add_new(tag, vr, value)
    _add_private(dataset, markers)
    markers.fill(dataset, "top")
    long = f"QLEAKLONG{next(markers.numbers)}"
    dataset.PrescriptionNotes = long + " " * 70000
    markers.found.append(Marker(0x3010007B, "bulk", "UT", long, long.encode()))
    return dataset, markers.found


def markers_of(markers: Markers, tag: int) -> Dataset:
    return markers.fill(
        Dataset(), f"second item of {tag:08X}", [0x00100010, 0x00081155, 0x00080020]
    )


def _without(tags: Collection[int]) -> list[int]:
    return [tag for tag in ROWS if tag not in tags]


def _add_private(dataset: Dataset, markers: Markers) -> None:
    item = Dataset()
    for holder, place in ((dataset, "top"), (item, "item"), (dataset[WAVEFORM].value[0], "wave")):
        for group in (0x0009, 0x0029, 0x7FE1, 0xFFF1):
            block = holder.private_block(group, f"QLEAK CREATOR {place}", create=True)
            for low, vr in ((0x10, "LO"), (0x11, "OB"), (0x12, "PN"), (0x13, "UN")):
                value = _value(vr, next(markers.numbers))
                written = value if isinstance(value, bytes) else str(value).encode()
                block.add_new(low, vr, value)
                markers.found.append(
                    Marker(group << 16 | low, f"private {place}", vr, value, written)
                )
    nested = Dataset()
    nested.PatientName = "QLEAKPRIVATE"
    markers.found.append(Marker(0x00100010, "private item", "PN", "", b"QLEAKPRIVATE"))
    dataset.private_block(0x0029, "QLEAK CREATOR top").add_new(0x20, "SQ", Sequence([nested]))
    dataset.SpecimenDescriptionSequence = Sequence([item])


def may_stay(marker: Marker, options: Collection[str]) -> bool:
    """Whether the options retain the attribute, as their columns of the table say."""
    row = ROWS.get(marker.tag)
    if row is None or marker.place.startswith("private"):
        return False
    told = {option: row.get(option, "") for option in options}
    if "K" in told.values():
        return True
    if marker.vr == "SQ":  # what is not listed stays in those whose references are replaced
        return row["basic"].endswith("U*")
    return told.get(MODIFIED) == "C" and marker.vr in ("TM", "SH")


def allowed_pairs() -> list[tuple[str, str]]:
    return [
        (one, two)
        for index, one in enumerate(POSSIBLE)
        for two in POSSIBLE[index + 1 :]
        if {one, two} != {FULL, MODIFIED}
    ]


def deidentified(
    dataset: Dataset,
    folder: Path,
    options: Collection[str] = (),
    transfer_syntax: str = ENCODINGS["explicit"],
    **more: object,
) -> Instance:
    """The instance as it leaves a chain of `deidentify` with these options."""
    plugin = Deidentify(SECRET, options=list(options), **more)
    instance = make_instance(dataset, folder, transfer_syntax=transfer_syntax)
    plugin.rewrite_instance(instance)
    instance.seal()
    plugin.verify_instance(instance)
    return instance


def leaving(instance: Instance) -> Dataset:
    """What leaves, as pydicom alone reads it."""
    return pydicom.dcmread(instance.open(), force=True)
