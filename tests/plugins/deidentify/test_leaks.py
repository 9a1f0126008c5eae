"""No attribute of the profile survives that the options do not retain; all others do."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from router.plugins.deidentify import Deidentify

from router import Hold
from router.dataset import FileRange, scan_segments
from router.dataset.encoding import EXPLICIT_LITTLE, ITEM
from router.instance import Instance, Source
from router.testing import make_instance
from tests.plugins.deidentify.making import (
    ENCODINGS,
    MODIFIED,
    POSSIBLE,
    ROWS,
    SECRET,
    WRITTEN,
    Markers,
    allowed_pairs,
    deidentified,
    every_attribute,
    leaving,
    may_stay,
    vr_of,
)

if TYPE_CHECKING:
    from pathlib import Path

CLEANING = ("clean_descriptors", "clean_structured_content", "clean_graphics", MODIFIED)
ONE = [(), *((option,) for option in POSSIBLE)]


@pytest.fixture(scope="module")
def marked():
    return every_attribute()


def leaks(marked, folder, options, encoding) -> list[str]:
    dataset, markers = marked
    instance = deidentified(dataset, folder, options, ENCODINGS[encoding], leak_gate=False)
    with instance.open() as file:
        left = file.read()
    return [
        f"({marker.tag:08X}) {marker.vr} {marker.place}"
        for marker in markers
        if marker.written in left and not may_stay(marker, options)
    ]


@pytest.mark.parametrize(
    ("options", "encoding"),
    [
        *(((), encoding) for encoding in ENCODINGS),
        *zip(ONE[1:], cycle(ENCODINGS), strict=False),
        *zip(random.Random(5).sample(allowed_pairs(), 6), cycle(ENCODINGS), strict=False),
    ],
    ids=str,
)
def test_nothing_of_the_profile_is_left(marked, tmp_path, options, encoding):
    assert leaks(marked, tmp_path, options, encoding) == []


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("options", [*ONE, *allowed_pairs()], ids=str)
def test_nothing_of_the_profile_is_left_with_any_one_or_two_options(
    marked, tmp_path, options, encoding
):
    assert leaks(marked, tmp_path, options, encoding) == []


@pytest.mark.soak
@pytest.mark.parametrize("options", [(), CLEANING], ids=["basic", "clean"])
@pytest.mark.parametrize("vr", ["LO", "UN", "OB", "PN", "UI", "DA", "TM", "CS", "IS", "FD", "SQ"])
def test_a_wrong_vr_hides_nothing(tmp_path, vr, options):
    plugin = Deidentify(SECRET, options=list(options), leak_gate=False)
    left = []
    for tag in ROWS:
        value = b"QLEAKQLEAKQLEAK!"
        if vr == "SQ":
            inner = EXPLICIT_LITTLE.header(0x00080104, "LO", len(value)) + value
            value = EXPLICIT_LITTLE.header(ITEM, "", len(inner)) + inner
        instance = received_bytes(EXPLICIT_LITTLE.header(tag, vr, len(value)) + value, tmp_path)
        with suppress(Hold):
            plugin.rewrite_instance(instance)
            with instance.open() as file:
                content = file.read()
            if b"QLEAKQLEAK" in content and not ROWS[tag]["basic"].endswith("U*"):
                left.append(f"{tag:08X}")
    assert left == []


def received_bytes(content: bytes, folder: Path) -> Instance:
    made = make_instance(Dataset(), folder)
    path = folder / "received"
    path.write_bytes(content)
    segments = (FileRange(str(path), 0, len(content)),)
    made._source = Source(segments, scan_segments(segments, ENCODINGS["explicit"]))
    return made


def unlisted() -> Dataset:
    """Every attribute of the standard that the profile does not list, and some one level down."""
    markers = Markers()
    dataset = Dataset()
    tags = [tag for tag in DicomDictionary if tag not in ROWS and tag not in WRITTEN]
    usable = [t for t in tags if t >> 16 not in (0, 2, 0xFFFE) and vr_of(t) not in ("SQ", "UN")]
    for tag in usable:
        if tag not in (0x7FE00008, 0x7FE00009, 0x00189810, 0x00283006):
            dataset[tag] = markers.element(tag, "top")
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY"]
    dataset.SpecificCharacterSet = "ISO_IR 100"
    del dataset.BurnedInAnnotation, dataset.ConversionType
    dataset.PixelRepresentation = 0
    item = Dataset()
    for tag in list(dataset.keys()):
        if tag >> 16 not in (0x7FE0, 0x0028, 0x0008):
            item[tag] = dataset[tag]
    dataset.AnatomicRegionSequence = [item]
    return dataset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_attribute_the_profile_does_not_list_survives_unchanged(tmp_path, encoding):
    dataset = unlisted()
    assert len(dataset) > 3000
    left = leaving(deidentified(dataset, tmp_path, (), ENCODINGS[encoding]))
    expected = leaving(original(dataset, tmp_path, encoding))
    assert missing_or_changed(expected, left) == []
    below = expected.AnatomicRegionSequence[0], left.AnatomicRegionSequence[0]
    assert missing_or_changed(*below) == []


def original(dataset, folder, encoding):
    return make_instance(dataset, folder, transfer_syntax=ENCODINGS[encoding])


def missing_or_changed(expected: Dataset, left: Dataset) -> list[str]:
    return [
        str(element.tag)
        for element in expected
        if element.VR != "SQ" and (element.tag not in left or left[element.tag] != element)
    ]


@pytest.mark.parametrize("option", [each for each in POSSIBLE if each.startswith("retain")])
def test_what_an_option_retains_survives_unchanged(tmp_path, option):
    kept = [tag for tag, row in ROWS.items() if row.get(option) == "K" and vr_of(tag) != "SQ"]
    dataset = Markers().fill(Dataset(), "top", kept)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.StudyInstanceUID = "1.2.3"
    left = leaving(deidentified(dataset, tmp_path, (option,), leak_gate=False))
    expected = leaving(original(dataset, tmp_path, "explicit"))
    if option != "retain_uids":
        del expected.StudyInstanceUID
    assert missing_or_changed(expected, left) == []
