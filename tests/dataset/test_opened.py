"""A data set as a plugin author sees it: pydicom's, without the bulk."""

import copy

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.dataset import Bulk, BulkValue, open_dataset

from .writing import BIG, EXPLICIT, IMPLICIT, UNDEFINED, B, E, I, scanned

PIXELS = 0x7FE00010
REQUEST = 0x00400275

WRITERS = pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])


@WRITERS
def test_it_is_an_ordinary_data_set_that_knows_its_encoding(writer):
    dataset = open_dataset(scanned(writer.element(0x00080060, "CS", "CT"), writer.transfer_syntax))
    assert isinstance(dataset, Dataset)
    assert dataset.Modality == "CT"
    assert dataset.original_encoding == (writer is I, writer is not B)
    assert (dataset.is_implicit_VR, dataset.is_little_endian) == (writer is I, writer is not B)
    assert dataset.original_character_set == ["iso8859"]


@WRITERS
def test_bulk_values_are_empty_bytes_that_know_where_theirs_are(writer):
    data = writer.element(0x00100010, "PN", "A^") + writer.element(PIXELS, "OW", b"P" * 100)
    dataset = open_dataset(scanned(data, writer.transfer_syntax))
    value = dataset.PixelData
    assert isinstance(value, BulkValue)
    assert value == b""
    assert value.reference == Bulk(len(data) - 100, 100)
    assert repr(value) == "<100 bytes kept by reference>"
    assert dataset[PIXELS].VR == "OW"
    assert copy.deepcopy(dataset).PixelData is value


def test_compressed_pixels_are_of_undefined_length():
    dataset = open_dataset(scanned(E.encapsulated(b"ABCD")))
    assert dataset[PIXELS].is_undefined_length
    assert dataset.PixelData.encapsulated


@WRITERS
@pytest.mark.parametrize("defined", [True, False])
def test_items_are_read_when_they_are_looked_at_and_inherit_the_character_set(writer, defined):
    inner = writer.sequence(0x00081140, writer.element(0x00100010, "PN", "é^"), defined=defined)
    data = writer.element(0x00080005, "CS", "ISO_IR 192")
    data += writer.sequence(
        REQUEST,
        writer.element(0x00400009, "SH", "é".encode()),
        writer.element(0x00080005, "CS", "ISO_IR 100") + inner,
        b"",
        defined=defined,
    )
    dataset = open_dataset(scanned(data, writer.transfer_syntax))
    sequence = dataset[REQUEST].value
    assert isinstance(sequence, Sequence)
    assert not sequence.is_read
    assert sequence.is_undefined_length is not defined
    assert len(sequence) == 3
    assert sequence[0].ScheduledProcedureStepID == "é"
    assert sequence[1].ReferencedImageSequence[0].PatientName == "é^"
    assert sequence[0].is_undefined_length_sequence_item is not defined
    assert len(sequence[2]) == 0


def test_un_of_undefined_length_is_a_sequence():
    inner = I.element(0x00400009, "", "STEP")
    data = E.head(REQUEST, "UN", UNDEFINED) + I.item(inner) + I.mark(0xE0DD, 0)
    dataset = open_dataset(scanned(data))
    assert dataset.RequestAttributesSequence[0].ScheduledProcedureStepID == "STEP"


@WRITERS
def test_private_blocks_work(writer):
    data = writer.element(0x00290010, "LO", "A MAKER") + writer.element(0x00291001, "LO", "value ")
    dataset = open_dataset(scanned(data, writer.transfer_syntax))
    block = dataset.private_block(0x0029, "A MAKER")
    assert block[1].value in ("value", b"value ")
    assert dataset.private_creators(0x0029) == ["A MAKER"]


@pytest.mark.parametrize(("representation", "expected"), [(0, 65535), (1, -1)])
def test_items_know_the_pixel_representation_around_them(representation, expected):
    descriptor = I.number(0x00283002, "US", "H", 256, 0xFFFF, 16)
    data = I.number(0x00280103, "US", "H", representation)
    data += I.sequence(0x00283000, descriptor)
    dataset = open_dataset(scanned(data, IMPLICIT))
    assert list(dataset.ModalityLUTSequence[0].LUTDescriptor) == [256, expected, 16]


def test_values_that_do_not_fit_their_vr_are_read_as_they_are():
    data = E.element(0x00080020, "DA", "yesterday ") + E.element(0x00180050, "DS", "thick ")
    dataset = open_dataset(scanned(data))
    assert (dataset.StudyDate, dataset.SliceThickness) == ("yesterday", "thick")


def test_unknown_public_elements_of_implicit_vr_are_bytes():
    assert open_dataset(scanned(I.element(0x00189999, "", "AB"), IMPLICIT))[0x00189999].value == (
        b"AB"
    )


def test_a_data_set_with_a_problem_is_not_opened():
    with pytest.raises(ValueError, match="cannot be walked to its end: the data set ends"):
        open_dataset(scanned(E.element(0x00100010, "PN", "AB")[:-1]))


def test_a_copy_of_a_data_set_can_be_changed_alone():
    data = E.sequence(REQUEST, E.element(0x00400009, "SH", "STEP"))
    dataset = open_dataset(scanned(data, EXPLICIT))
    twin = copy.deepcopy(dataset)
    twin.RequestAttributesSequence[0].ScheduledProcedureStepID = "OTHER"
    assert dataset.RequestAttributesSequence[0].ScheduledProcedureStepID == "STEP"


def test_big_endian_numbers_are_numbers():
    assert open_dataset(scanned(B.number(0x00280010, "US", "H", 512), BIG)).Rows == 512
