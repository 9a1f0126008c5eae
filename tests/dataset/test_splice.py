"""What leaves after a change: new bytes for what changed, and the very bytes of all else."""

import copy
import math

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.dataset import FileRange, open_dataset, segments

from .writing import BIG, EXPLICIT, IMPLICIT, UNDEFINED, B, E, I, leaving, scanned, stored

NAME = 0x00100010
PIXELS = 0x7FE00010
REQUEST = 0x00400275
STEP = 0x00400009

WRITERS = pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])


@pytest.fixture
def edited(tmp_path):
    """The bytes that leave after a change of a data set, in its encoding."""

    def edit(data: bytes, change, transfer_syntax: str = EXPLICIT) -> bytes:
        scan = scanned(data, transfer_syntax)
        assert scan.problem is None
        dataset = open_dataset(scan)
        change(dataset)
        left = leaving(dataset, scan, stored(data, tmp_path))
        assert scanned(left, transfer_syntax).problem is None
        return left

    return edit


@WRITERS
def test_new_bytes_stand_around_the_bulk_left_in_its_file(writer, tmp_path):
    before, after = writer.element(NAME, "PN", "A^"), writer.element(0xFFFCFFFC, "OB", b"\0\0")
    data = before + writer.element(PIXELS, "OW", b"P" * 100) + after
    source = stored(data, tmp_path)
    scan = scanned(data, writer.transfer_syntax)
    dataset = open_dataset(scan)
    assert segments(dataset, scan, source) == [source]
    dataset.PatientName = "B^C"
    head = writer.element(NAME, "PN", "B^C") + writer.head(PIXELS, "OW", 100)
    in_file = FileRange(source.path, source.offset + data.index(b"PPP"), 100)
    assert segments(dataset, scan, source) == [head, in_file, after]
    dataset.DataSetTrailingPadding = b"\1\1"
    changed = writer.element(0xFFFCFFFC, "OB", b"\1\1")
    assert segments(dataset, scan, source) == [head, in_file, changed]


def test_a_copy_of_a_copy_still_refers_to_the_first_file(tmp_path):
    data = E.element(NAME, "PN", "A^") + E.element(PIXELS, "OW", b"P" * 100)
    source = stored(data, tmp_path)
    scan = scanned(data)
    dataset = open_dataset(scan)
    dataset.PatientName = "First"
    once = segments(dataset, scan, source)
    again = scanned(E.element(NAME, "PN", "First") + E.element(PIXELS, "OW", b"P" * 100))
    dataset = open_dataset(again)
    assert segments(dataset, again, once) == once
    dataset.PatientName = "Second"
    assert segments(dataset, again, once)[1:] == once[1:]


@WRITERS
def test_elements_are_added_in_their_place_replaced_and_deleted(writer, edited):
    def change(dataset):
        dataset.Modality = "MR"
        dataset.StudyDate = "20200101"
        del dataset[0x00100020]
        dataset.PatientComments = "x"

    elements = [
        writer.element(0x00080060, "CS", "CT"),
        writer.element(NAME, "PN", b"odd"),
        writer.element(0x00100020, "LO", "ID"),
        writer.number(0x00280010, "US", "H", 512),
    ]
    assert edited(b"".join(elements), change, writer.transfer_syntax) == (
        writer.element(0x00080020, "DA", "20200101")
        + writer.element(0x00080060, "CS", "MR")
        + elements[1]
        + writer.element(0x00104000, "LT", "x")
        + elements[3]
    )


def test_values_set_to_what_they_were_are_no_change(edited):
    data = E.element(0x00080060, "CS", "CT   ") + E.element(0x00180050, "DS", "1.500 ")

    def change(dataset):
        dataset.Modality = "CT"
        dataset.SliceThickness = 1.5

    assert edited(data, change) == data


def test_a_nan_that_was_only_looked_at_is_no_change(tmp_path):
    data = E.number(0x00189073, "FD", "d", math.nan)
    source, scan = stored(data, tmp_path), scanned(data)
    dataset = open_dataset(scan)
    assert math.isnan(dataset.AcquisitionDuration)
    assert segments(dataset, scan, source) == [source]


@WRITERS
@pytest.mark.parametrize("defined", [True, False])
def test_in_a_changed_sequence_all_else_keeps_its_bytes(writer, defined, edited):
    odd = writer.element(0x00400007, "LO", b"odd length of 17!")
    pixels = writer.element(PIXELS, "OW", b"P" * 70)
    deep = writer.sequence(0x00081110, odd, pixels, defined=not defined)

    def request(step):
        first = odd + writer.element(STEP, "SH", step)
        return writer.sequence(REQUEST, first, deep + pixels, b"", defined=defined)

    def change(dataset):
        dataset.RequestAttributesSequence[0].ScheduledProcedureStepID = "CHANGED"

    after = writer.element(0x00400280, "ST", b"odd")
    data = edited(request("STEP") + after, change, writer.transfer_syntax)
    assert data == request("CHANGED") + after


@WRITERS
def test_items_are_added_moved_and_removed(writer, edited):
    steps = [writer.element(STEP, "SH", text) for text in ("ONE ", "TWO ")]
    new = Dataset()
    new.ScheduledProcedureStepID = "NEW"

    def change(dataset):
        sequence = dataset.RequestAttributesSequence
        sequence.append(new)
        sequence.append(copy.deepcopy(sequence[0]))
        del sequence[0]

    data = edited(writer.sequence(REQUEST, *steps), change, writer.transfer_syntax)
    new_step = writer.element(STEP, "SH", "NEW")
    assert data == writer.sequence(REQUEST, steps[1], new_step, steps[0])


def test_all_items_removed_is_an_empty_sequence(edited):
    def change(dataset):
        dataset.RequestAttributesSequence.clear()

    data = E.sequence(REQUEST, E.element(STEP, "SH", "A"), defined=False)
    assert edited(data, change) == E.head(REQUEST, "SQ", UNDEFINED) + E.mark(0xE0DD, 0)


def test_a_changed_sequence_in_un_stays_un_with_implicit_items(edited):
    def data(step):
        item = I.item(I.element(STEP, "SH", step) + I.element(0x00400007, "LO", "kept"))
        return E.head(REQUEST, "UN", UNDEFINED) + item + I.mark(0xE0DD, 0)

    def change(dataset):
        dataset.RequestAttributesSequence[0].ScheduledProcedureStepID = "CHANGED "

    assert edited(data("STEP"), change) == data("CHANGED ")


def test_items_moved_out_of_un_are_written_anew(edited):
    item = I.item(I.element(STEP, "SH", "STEP") + I.element(PIXELS, "OW", b"PPPP"), False)
    data = E.head(REQUEST, "UN", UNDEFINED) + item + I.mark(0xE0DD, 0)

    def change(dataset):
        dataset.ReferencedStudySequence = list(dataset.RequestAttributesSequence)
        del dataset.RequestAttributesSequence

    step = E.element(STEP, "SH", "STEP") + E.element(PIXELS, "OW", b"PPPP")
    assert edited(data, change) == E.head(0x00081110, "SQ", len(step) + 8 + 8) + E.item(step, False)


@WRITERS
def test_bulk_values_move_with_their_bytes(writer, edited):
    data = writer.element(0x00090010, "LO", "MAKER ") + writer.element(PIXELS, "OW", b"P" * 50)

    def change(dataset):
        item = Dataset()
        item.PixelData = dataset.PixelData
        item["PixelData"].VR = "OW"
        dataset.IconImageSequence = [item]
        dataset.add_new(0x00091001, "OB", dataset.PixelData)
        del dataset.PixelData

    assert edited(data, change, writer.transfer_syntax) == (
        writer.element(0x00090010, "LO", "MAKER ")
        + writer.element(0x00091001, "OB", b"P" * 50)
        + writer.sequence(0x00880200, writer.element(PIXELS, "OW", b"P" * 50))
    )


def test_fragments_stay_of_undefined_length_wherever_they_move(edited):
    def change(dataset):
        item = Dataset()
        item.PixelData = dataset.PixelData
        item["PixelData"].VR = "OB"
        dataset.IconImageSequence = [item]

    moved = E.sequence(0x00880200, E.encapsulated(b"ABCD"))
    assert edited(E.encapsulated(b"ABCD"), change) == moved + E.encapsulated(b"ABCD")


def test_a_bulk_value_can_be_emptied_and_replaced(edited):
    data = E.element(PIXELS, "OW", b"P" * 50)

    def empty(dataset):
        dataset.PixelData = b""

    def replace(dataset):
        dataset.PixelData = b"NEW"

    assert edited(data, empty) == E.element(PIXELS, "OW", b"")
    assert edited(data, replace) == E.element(PIXELS, "OW", b"NEW\0")


def test_a_bulk_value_of_another_instance_is_refused(tmp_path):
    data = E.element(PIXELS, "OW", b"P" * 50)
    scan = scanned(data)
    dataset = open_dataset(scan)
    dataset.PixelData = open_dataset(scanned(data)).PixelData
    with pytest.raises(ValueError, match=r"\(7FE0,0010\) has a bulk value of another instance"):
        segments(dataset, scan, stored(data, tmp_path))


def test_group_lengths_go_with_the_first_change_in_their_group(edited):
    eight = E.number(0x00080000, "UL", "L", 10) + E.element(0x00080060, "CS", "CT")
    ten = E.number(0x00100000, "UL", "L", 10) + E.element(NAME, "PN", "AB")

    def change(dataset):
        dataset.Modality = "MR"

    assert edited(eight + ten, change) == E.element(0x00080060, "CS", "MR") + ten
    assert edited(eight + ten, lambda dataset: dataset.get("Modality")) == eight + ten


def test_duplicates_stay_untouched_and_go_with_the_first(edited):
    names = b"".join(E.element(NAME, "PN", name) for name in ("A^", "B^"))
    pixels = E.element(PIXELS, "OW", b"P" * 10) + E.encapsulated(b"ABCD")
    sequences = E.sequence(REQUEST, E.element(STEP, "SH", "A")) * 2

    def add(dataset):
        dataset.PatientID = "ID"

    def change(dataset):
        dataset.PatientName = "C^"
        del dataset.PixelData

    new = E.element(0x00100020, "LO", "ID")
    assert edited(names + sequences + pixels, add) == names + new + sequences + pixels
    assert edited(names + pixels, change) == E.element(NAME, "PN", "C^")


def test_unsorted_elements_keep_their_order(edited):
    name, modality = E.element(NAME, "PN", "A^"), E.element(0x00080060, "CS", "CT")

    def change(dataset):
        dataset.PatientID = "ID"

    data = edited(name + modality, change)
    assert data == name + modality + E.element(0x00100020, "LO", "ID")


@WRITERS
def test_a_changed_character_set_writes_the_text_below_it_anew(writer, edited):
    def data(term, codec):
        own = writer.element(0x00080005, "CS", "ISO_IR 101") + writer.element(NAME, "PN", b"\xc8^")
        inherits = writer.element(STEP, "SH", padded("Schädel".encode(codec)))
        return (
            writer.element(0x00080005, "CS", term)
            + writer.element(NAME, "PN", padded("Müller^".encode(codec)))
            + writer.element(0x00100020, "LO", b"ascii, odd!")
            + writer.sequence(REQUEST, own, inherits, defined=False)
            + writer.element(0x00400600, "UT", ("é" * 70_000).encode(codec))
        )

    def padded(value):
        return value + b" " * (len(value) % 2)

    def change(dataset):
        dataset.SpecificCharacterSet = "ISO_IR 192"

    left = edited(data("ISO_IR 100", "latin-1"), change, writer.transfer_syntax)
    assert left == data("ISO_IR 192", "utf-8")


def test_text_that_does_not_fit_the_character_set_is_refused_without_showing_it(tmp_path):
    data = E.element(0x00080005, "CS", "ISO_IR 100") + E.element(NAME, "PN", "A^")
    scan, source = scanned(data), stored(data, tmp_path)
    dataset = open_dataset(scan)
    dataset.PatientName = "Дмитрий"
    with pytest.raises(ValueError, match=r"\(0010,0010\).*set SpecificCharacterSet as well") as why:
        segments(dataset, scan, source)
    assert "Дмитрий" not in str(why.value)
    dataset.SpecificCharacterSet = "ISO_IR 144"
    assert "Дмитрий".encode("iso8859_5") in leaving(dataset, scan, source)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ((0x00100020, "LO", "x" * 70_000), r"\(0010,0020\) has 70000 bytes.*shorten it"),
        ((0x00280010, "US", "secret"), r"\(0028,0010\).*cannot be written as US"),
        ((0x00280010, "US", 70_000), r"\(0028,0010\).*cannot be written as US"),
    ],
)
def test_what_cannot_be_written_is_refused_without_showing_it(element, message, tmp_path):
    data = E.element(0x00080060, "CS", "CT")
    scan = scanned(data)
    dataset = open_dataset(scan)
    dataset.add_new(*element)
    with pytest.raises(ValueError, match=message) as why:
        segments(dataset, scan, stored(data, tmp_path))
    assert "secret" not in str(why.value)


def test_implicit_vr_has_room_for_long_values_of_any_vr(edited):
    def change(dataset):
        dataset.PatientID = "x" * 70_000

    data = I.element(0x00080060, "CS", "CT")
    assert edited(data, change, IMPLICIT) == data + I.element(0x00100020, "LO", "x" * 70_000)


@pytest.mark.parametrize(("representation", "vr"), [(0, "US"), (1, "SS")])
def test_new_elements_of_two_possible_vrs_follow_the_pixel_representation(
    representation, vr, edited
):
    data = E.number(0x00280103, "US", "H", representation)

    def change(dataset):
        dataset.SmallestImagePixelValue = 3

    assert edited(data, change) == data + E.number(0x00280106, vr, "H", 3)


def test_a_data_set_can_be_emptied(tmp_path):
    data = E.element(0x00080060, "CS", "CT")
    scan, source = scanned(data), stored(data, tmp_path)
    dataset = open_dataset(scan)
    dataset.clear()
    assert segments(dataset, scan, source) == []


def test_an_empty_data_set_stays_empty_and_can_be_filled(tmp_path):
    source, scan = stored(b"", tmp_path), scanned(b"")
    dataset = open_dataset(scan)
    assert segments(dataset, scan, source) == [source]
    dataset.Modality = "CT"
    dataset.RequestAttributesSequence = Sequence([Dataset()])
    new = E.element(0x00080060, "CS", "CT") + E.sequence(REQUEST, b"")
    assert segments(dataset, scan, source) == [new]


def test_big_endian_sequences_are_big_endian(edited):
    def change(dataset):
        item = Dataset()
        item.Rows = 512
        dataset.IconImageSequence = [item]

    assert edited(b"", change, BIG) == B.sequence(0x00880200, B.number(0x00280010, "US", "H", 512))


@pytest.mark.parametrize("name", [b"= ", b"==", b"A=", b"A==B=", b"^^", b"Doe^Jane^^"])
def test_a_name_that_was_only_looked_at_keeps_its_empty_parts(name):
    data = E.element(0x00100010, "PN", name + b" " * (len(name) % 2))
    scan = scanned(data)
    opened = open_dataset(scan)
    assert str(opened.PatientName) in name.decode()
    assert segments(opened, scan, [data]) == [data]
