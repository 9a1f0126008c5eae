"""Explicit VR Little Endian data sets made Implicit: pydicom reads the same values from both."""

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from router.dataset import FileRange, open_part10, read_segments, rescan
from router.dataset.convert import to_implicit

EXPLICIT = "1.2.840.10008.1.2.1"
NAMES = ("eCT_Supplemental.dcm", "emri_small.dcm", "liver.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm")


def converted(path: Path) -> bytes:
    part10 = open_part10(path)
    assert part10.transfer_syntax == EXPLICIT
    scan = rescan(str(path), part10.dataset_offset, part10.length, EXPLICIT)
    whole = FileRange(str(path), part10.dataset_offset, part10.length)
    return b"".join(read_segments(to_implicit(scan, [whole])))


@pytest.mark.filterwarnings("ignore")  # of pydicom about values in real files
@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_real_objects_is_the_same(data, name):
    path = data / "pydicom_data" / name
    implicit = read_dataset(DicomBytesIO(converted(path)), True, True)
    explicit = pydicom.dcmread(path)
    kept = [element for element in explicit if element.tag.element]
    assert [element.tag for element in implicit] == [element.tag for element in kept]
    for element in kept:
        if element.tag.is_private:  # without its VR nobody knows what a private value is
            continue
        assert implicit[element.tag].value == element.value, element.keyword


def test_nested_items_and_unknown_values_are_kept(tmp_path):
    dataset = pydicom.Dataset()
    item = pydicom.Dataset()
    item.CodeValue, item.CodeMeaning = "T-04000", "Breast"
    dataset.AnatomicRegionSequence = [item, pydicom.Dataset()]
    dataset.add_new(0x00091010, "UN", b"\x01\x02\x03\x04")
    dataset.PixelData = bytes(range(256)) * 300
    dataset["PixelData"].VR = "OW"
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    path = tmp_path / "explicit"
    path.write_bytes(buffer.getvalue())
    scan = rescan(str(path), 0, len(buffer.getvalue()), EXPLICIT)
    whole = FileRange(str(path), 0, scan.length)
    made = to_implicit(scan, [whole])
    assert sum(isinstance(segment, FileRange) for segment in made) == 1  # the pixels stay there
    implicit = read_dataset(BytesIO(b"".join(read_segments(made))), True, True)
    assert implicit.AnatomicRegionSequence[0].CodeMeaning == "Breast"
    assert len(implicit.AnatomicRegionSequence) == 2
    assert implicit[0x00091010].value == b"\x01\x02\x03\x04"
    assert implicit.PixelData == dataset.PixelData
