"""Generated data sets: what pydicom writes, we read as pydicom does and give back unchanged."""

from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from router.dataset import open_dataset, read_segments, segments

from .writing import BIG, EXPLICIT, IMPLICIT, reassembled, scanned

TEXT = st.text("ABCÄÖ ^=", max_size=12).map(str.strip)
ELEMENTS = {
    0x00080060: ("CS", st.sampled_from(["CT", "MR", ""])),
    0x00081030: ("LO", TEXT),
    0x00100010: ("PN", TEXT),
    0x00101030: ("DS", st.lists(st.sampled_from(["1.50", "-2", "1e3"]), max_size=3)),
    0x00280010: ("US", st.integers(0, 65535)),
    0x00280008: ("IS", st.sampled_from(["1", "007", ""])),
    0x00189073: ("FD", st.lists(st.floats(allow_nan=False), max_size=3)),
    0x00280106: ("US", st.integers(0, 65535)),
    0x0020000D: ("UI", st.sampled_from(["1.2", "1.2.3"])),
    0x00204000: ("LT", st.text("a\\ \n", max_size=10).map(str.rstrip)),
    0x00090010: ("LO", st.just("CREATOR")),
    0x00091001: ("OB", st.binary(max_size=8).map(lambda value: value + bytes(len(value) % 2))),
    0x00420011: ("OB", st.binary(min_size=2, max_size=4).filter(lambda value: len(value) % 2 == 0)),
    0x00400600: ("UT", st.integers(0, 40_000).map(lambda count: "ab" * count)),
}
SEQUENCES = [0x00081110, 0x00400275, 0x52009229]


@st.composite
def data_sets(draw, depth=3):
    dataset = Dataset()
    for tag in draw(st.sets(st.sampled_from(sorted(ELEMENTS)), max_size=6)):
        vr, value = ELEMENTS[tag]
        dataset.add_new(tag, vr, draw(value))
    for tag in draw(st.sets(st.sampled_from(SEQUENCES), max_size=2)) if depth else ():
        items = draw(st.lists(data_sets(depth - 1), max_size=2))
        for item in items:
            item.is_undefined_length_sequence_item = draw(st.booleans())
        dataset.add_new(tag, "SQ", Sequence(items))
        dataset[tag].is_undefined_length = draw(st.booleans())
    return dataset


def written(dataset: Dataset, transfer_syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == IMPLICIT
    buffer.is_little_endian = transfer_syntax != BIG
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def read(data: bytes, transfer_syntax: str) -> Dataset:
    return read_dataset(BytesIO(data), transfer_syntax == IMPLICIT, transfer_syntax != BIG)


def delete_first(dataset: Dataset) -> None:
    if dataset:
        del dataset[min(dataset.keys())]


def set_text(dataset: Dataset) -> None:
    # Where none is named pydicom would write Latin-1, and segments would raise.
    dataset.StudyDescription = "New^ÄÖ" if dataset.get("SpecificCharacterSet") else "New"
    dataset.AccessionNumber = ""


def set_numbers(dataset: Dataset) -> None:
    dataset.Rows = 7
    dataset.SliceThickness = [1, 2]


def set_private(dataset: Dataset) -> None:
    dataset.private_block(0x0011, "OURS", create=True).add_new(1, "LO", "private")


def append_item(dataset: Dataset) -> None:
    item = Dataset()
    item.PatientID = "ID"
    item.is_undefined_length_sequence_item = True
    if "ReferencedStudySequence" in dataset:
        dataset.ReferencedStudySequence.append(item)
    else:
        dataset.ReferencedStudySequence = [item]


def turn_items_round(dataset: Dataset) -> None:
    for tag in SEQUENCES:
        if tag in dataset:
            dataset[tag].value = list(dataset[tag].value)[::-1]


def move_sequence(dataset: Dataset) -> None:
    if 0x00081110 in dataset:
        dataset.ReferencedSeriesSequence = dataset[0x00081110].value
        del dataset[0x00081110]


EDITS = [
    delete_first, set_text, set_numbers, set_private, append_item, turn_items_round, move_sequence
]  # fmt: skip


def edit_everywhere(dataset: Dataset, edits: list, depth: int = 0) -> None:
    for tag in SEQUENCES:
        if tag in dataset:
            for item in dataset[tag].value:
                edit_everywhere(item, edits[1:], depth + 1)
    for edit in edits[:2]:
        edit(dataset)


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data_sets())
def test_what_is_only_looked_at_leaves_as_it_came(transfer_syntax, dataset):
    data = written(dataset, transfer_syntax)
    scan = scanned(data, transfer_syntax)
    assert scan.problem is None
    assert reassembled(scan, data) == data
    assert scanned(data, transfer_syntax, 5) == scan
    opened = open_dataset(scan)
    assert [str(element.tag) for element in opened.iterall()] == [
        str(element.tag) for element in read(data, transfer_syntax).iterall()
    ]
    assert segments(opened, scan, [data]) == [data]


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data_sets(), st.permutations(EDITS))
def test_changes_leave_as_pydicom_would_write_them(transfer_syntax, dataset, edits):
    data = written(dataset, transfer_syntax)
    scan = scanned(data, transfer_syntax)
    ours, theirs = open_dataset(scan), read(data, transfer_syntax)
    edit_everywhere(ours, edits)
    edit_everywhere(theirs, edits)
    left = b"".join(read_segments(segments(ours, scan, [data])))
    assert scanned(left, transfer_syntax).problem is None
    assert read(left, transfer_syntax) == read(written(theirs, transfer_syntax), transfer_syntax)
