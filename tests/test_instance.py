"""An instance as plugins and the router use it."""

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from router import Association, Hold, Instance
from router.dataset import FileRange, open_part10, read_segments, rescan
from router.instance import Source

from .dataset.writing import BIG, EXPLICIT, IMPLICIT, RLE, B, E, I, Writer, scanned, stored

CT = "1.2.840.10008.5.1.4.1.1.2"
NOW = datetime(2025, 1, 1, tzinfo=UTC)
CT1 = Association("CT1", "ROUTER", "127.0.0.1", "radiology", None, None, None, NOW)
PIXELS = 0x7FE00010
JPEG = "1.2.840.10008.1.2.4.70"


def identity(writer: Writer = E) -> bytes:
    return (
        writer.element(0x00080016, "UI", CT)
        + writer.element(0x00080018, "UI", "1.2.3")
        + writer.element(0x00100010, "PN", "A^B ")
        + writer.element(0x0020000D, "UI", "1.2")
        + writer.element(0x0020000E, "UI", "1.2.9")
    )


def image(
    pixels: bytes, writer: Writer = E, *, rows=2, columns=3, frames=1, bits=16, samples=1,
    photometric="MONOCHROME2", signed=0, planar=0, vr="OW"
) -> bytes:  # fmt: skip
    def us(tag, value):
        return writer.number(tag, "US", "H", value)

    return (
        identity(writer)
        + us(0x00280002, samples)
        + writer.element(0x00280004, "CS", photometric)
        + (us(0x00280006, planar) if samples > 1 else b"")
        + writer.element(0x00280008, "IS", str(frames))
        + us(0x00280010, rows)
        + us(0x00280011, columns)
        + us(0x00280100, bits)
        + us(0x00280101, bits)
        + us(0x00280102, bits - 1)
        + us(0x00280103, signed)
        + (pixels if len(pixels) % 2 == 0 and pixels[:4] == writer.head(PIXELS, "OB", 0)[:4]
           else writer.element(PIXELS, vr, pixels))
        + writer.element(0xFFFCFFFC, "OB", b"\0\0")
    )  # fmt: skip


@pytest.fixture
def instance(tmp_path):
    def make(data: bytes, transfer_syntax: str = EXPLICIT, **options) -> Instance:
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        source = Source((stored(data, tmp_path),), scanned(data, transfer_syntax))
        about = {"association": CT1, "route": "clinical", "received": NOW, "workspace": workspace}
        return Instance(source, **(about | options))

    return make


def left(instance: Instance) -> bytes:
    return b"".join(read_segments(instance.segments))


def test_it_says_where_it_comes_from(instance):
    data = identity()
    made = instance(data)
    assert (made.association, made.route, made.received) == (CT1, "clinical", NOW)
    assert made.transfer_syntax == EXPLICIT
    assert made.transfer_syntax.is_little_endian
    assert made.size == len(data)
    assert made.notes == {}
    assert not made.changed


def test_what_nobody_changes_leaves_from_where_it_is(instance):
    made = instance(identity() + E.element(PIXELS, "OW", b"PPPP"))
    source = made.segments
    assert isinstance(source[0], FileRange)
    assert made.dataset.PatientName == "A^B"
    assert made.segments == source
    assert not made.changed


def test_changes_of_the_data_set_leave_and_the_uids_follow(instance):
    made = instance(identity())
    uids = made.sop_class_uid, made.sop_instance_uid, made.study_instance_uid
    assert (*uids, made.series_instance_uid) == (CT, "1.2.3", "1.2", "1.2.9")
    made.dataset.SOPInstanceUID = "1.2.4"
    made.dataset.SeriesInstanceUID = "1.2.10"
    assert made.changed
    assert made.sop_instance_uid == "1.2.4"
    assert left(made) == identity().replace(
        E.element(0x00080018, "UI", "1.2.3"), E.element(0x00080018, "UI", "1.2.4")
    ).replace(E.element(0x0020000E, "UI", "1.2.9"), E.element(0x0020000E, "UI", "1.2.10"))
    assert made.size == len(left(made))


def test_the_file_it_opens_is_as_it_leaves(instance):
    made = instance(image(b"PPPPPPPPPPPP"))
    made.dataset.SOPInstanceUID = "1.2.4"
    with made.open() as file:
        dataset = pydicom.dcmread(file)
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID == "1.2.4"
        assert dataset.file_meta.MediaStorageSOPClassUID == CT
        assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
        assert dataset.file_meta.SourceApplicationEntityTitle == "CT1"
        assert dataset.PixelData == b"PPPPPPPPPPPP"


def test_the_original_stays_as_received_whatever_is_done_to_it(instance):
    made = instance(identity())
    made.dataset.PatientName = "Changed"
    made.original.PatientName = "Broken"
    assert made.original.PatientName == "A^B"
    assert made.dataset.PatientName == "Changed"
    assert b"Broken" not in left(made)


def test_the_original_of_a_copy_is_what_was_received(instance, tmp_path):
    received = Source((identity(),), scanned(identity()))
    made = instance(identity().replace(b"A^B ", b"ANON"), original=received)
    assert (made.dataset.PatientName, made.original.PatientName) == ("ANON", "A^B")


def test_what_cannot_be_walked_is_never_rewritten_but_leaves_as_it_came(instance):
    data = identity() + E.element(0x00200010, "ZZ", "x")
    made = instance(data)
    for touch in (lambda: made.dataset, lambda: made.original, lambda: list(made.frames())):
        with pytest.raises(Hold, match="cannot be walked to its end.*unknown VR"):
            touch()
    assert made.sop_instance_uid == "1.2.3"
    assert left(made) == data
    made.seal()
    assert left(made) == data


def test_a_change_that_cannot_be_written_holds_without_showing_it(instance):
    made = instance(identity())
    made.dataset.PatientID = "secret" * 20_000
    with pytest.raises(Hold, match=r"\(0010,0020\) has 120000 bytes") as held:
        made.segments  # noqa: B018
    assert "secret" not in held.value.reason


def test_once_sealed_it_shows_what_leaves_and_changes_go_nowhere(instance):
    made = instance(image(b"PPPPPPPPPPPP"))
    made.dataset.PatientName = "ANON"
    made.seal()
    before = left(made)
    assert made.dataset.PatientName == "ANON"
    made.dataset.PatientName = "A^B"
    made.dataset.PixelData = b""
    assert left(made) == before
    made.seal()
    assert made.dataset.PatientName == "ANON"
    assert made.sop_instance_uid == "1.2.3"
    assert [frame.tobytes() for frame in made.frames()] == [b"PPPPPPPPPPPP"]
    with pytest.raises(Hold, match="do it in rewrite_instance"):
        made.blank([(0, 0, 1, 1)])


def test_what_would_leave_and_could_not_be_read_again_is_held(instance):
    made = instance(identity())
    holder = made.dataset
    for _ in range(65):
        holder.ReferencedStudySequence = [Dataset()]
        holder = holder.ReferencedStudySequence[0]
    with pytest.raises(Hold, match="what would leave cannot be walked: sequences nest deeper"):
        made.seal()


def test_without_a_workspace_pixels_stay(instance):
    made = instance(image(b"PPPPPPPPPPPP"), workspace=None)
    with pytest.raises(Hold, match="do it in rewrite_instance"):
        made.map_frames(lambda index, frame: frame)


@pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])
def test_native_frames_are_read_and_changed_one_by_one(writer, instance):
    order = ">" if writer is B else "<"
    stack = np.arange(12, dtype=order + "u2").reshape(2, 2, 3)
    made = instance(image(stack.tobytes(), writer, frames=2), writer.transfer_syntax)
    assert [frame.tolist() for frame in made.frames()] == stack.tolist()
    seen = []
    made.map_frames(lambda index, frame: (seen.append(index), frame + 100)[1])
    assert seen == [0, 1]
    assert made.transfer_syntax == writer.transfer_syntax
    changed = (stack + 100).astype(order + "u2")
    assert left(made) == image(changed.tobytes(), writer, frames=2)
    assert [frame.tolist() for frame in made.frames()] == changed.tolist()
    made.map_frames(lambda index, frame: frame - 100)
    assert left(made) == image(stack.tobytes(), writer, frames=2)


def test_frames_are_never_all_in_memory(instance):
    frame_bytes = 1 << 20
    data = image(bytes(40 * frame_bytes), rows=512, columns=1024, frames=40)
    made = instance(data)
    tracemalloc.start()
    made.map_frames(lambda index, frame: frame + np.uint16(index))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [int(frame[0, 0]) for frame in made.frames()] == list(range(40))
    assert peak < 12 * frame_bytes


def test_bits_are_packed_across_frames(instance):
    bits = np.random.default_rng(1).integers(0, 2, (3, 3, 5), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    data = image(packed, rows=3, columns=5, frames=3, bits=1, vr="OB")
    made = instance(data)
    assert [frame.tolist() for frame in made.frames()] == bits.tolist()
    made.map_frames(lambda index, frame: 1 - frame)
    made.map_frames(lambda index, frame: 1 - frame)
    assert left(made) == data


def test_colour_by_plane_leaves_by_pixel(instance):
    planes = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)
    about = {"bits": 8, "samples": 3, "photometric": "RGB", "vr": "OB"}
    made = instance(image(planes.tobytes(), planar=1, **about))
    by_pixel = planes.transpose(1, 2, 0)
    assert [frame.tolist() for frame in made.frames()] == [by_pixel.tolist()]
    made.map_frames(lambda index, frame: frame)
    assert left(made) == image(by_pixel.tobytes(), planar=0, **about)


def test_compressed_pixels_leave_uncompressed(instance, data):
    path, plain = data / "pydicom_data/emri_small_RLE.dcm", data / "pydicom_data/emri_small.dcm"
    made = instance(path.read_bytes()[open_part10(path).dataset_offset :], RLE)
    expected = pydicom.dcmread(plain).pixel_array
    assert np.array_equal(np.stack(list(made.frames())), expected)
    made.map_frames(lambda index, frame: frame)
    assert made.transfer_syntax == EXPLICIT
    dataset = pydicom.dcmread(made.open())
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(dataset.pixel_array, expected)
    made.seal()
    assert np.array_equal(np.stack(list(made.frames())), expected)


@pytest.mark.parametrize(
    ("options", "black"),
    [
        ({}, 0),
        ({"photometric": "MONOCHROME1 "}, 65535),
        ({"signed": 1}, -32768),
        ({"photometric": "PALETTE COLOR "}, 0),
        ({"bits": 8, "samples": 3, "photometric": "RGB "}, [0, 0, 0]),
        ({"bits": 8, "samples": 3, "photometric": "YBR_FULL"}, [0, 128, 128]),
    ],
)
def test_blanking_makes_rectangles_black_in_every_frame(options, black, instance):
    bytes_each = 2 if "samples" not in options else 3
    value = np.full(2 * 4 * 5 * bytes_each, 7, np.uint8).tobytes()
    made = instance(image(value, rows=4, columns=5, frames=2, **options))
    grey = next(made.frames())[0, 0].tolist()
    made.blank([(1, 0, 2, 1), (4, 3, 100, 100), (-1, -1, 1, 1)])
    for frame in made.frames():
        for row in range(4):
            for column in range(5):
                inside = (row == 0 and column in (1, 2)) or (row, column) == (3, 4)
                assert frame[row, column].tolist() == (black if inside else grey)


def test_pixels_nothing_can_decode_hold_the_copy(instance):
    made = instance(image(E.encapsulated(b"JPEG")), JPEG)
    with pytest.raises(Hold, match="the pixels do not decode as JPEG Lossless"):
        list(made.frames())
    made = instance(image(E.encapsulated(b"JPEG")), "1.2.3.4")
    with pytest.raises(Hold, match=r"no decoder for 1\.2\.3\.4"):
        list(made.frames())
    with pytest.raises(Hold, match="the instance has no pixel data"):
        list(instance(identity()).frames())
    with pytest.raises(Hold, match="the pixels do not decode"):
        list(instance(image(b"PP")).frames())


def test_a_change_that_fails_leaves_no_file_and_the_old_pixels(instance, tmp_path):
    data = image(b"PPPPPPPPPPPP")
    made = instance(data)

    def fail(index, frame):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        made.map_frames(fail)
    with pytest.raises(Hold, match="the shape and type"):
        made.map_frames(lambda index, frame: frame[:1])
    assert list((tmp_path / "workspace").iterdir()) == []
    assert left(made) == data


def test_bulk_is_replaced_by_bytes_or_a_file(instance, tmp_path):
    document = E.element(0x00420011, "OB", b"%PDF old") + E.number(0x00420015, "UL", "L", 8)
    made = instance(identity() + document)
    made.replace_bulk("EncapsulatedDocument", b"%PDF longer")
    assert left(made) == identity() + E.element(0x00420011, "OB", b"%PDF longer\0") + E.number(
        0x00420015, "UL", "L", 11
    )
    (tmp_path / "new.pdf").write_bytes(b"%PDF " + b"x" * 300_000)
    made.replace_bulk("(0042,0011)", tmp_path / "new.pdf")
    (tmp_path / "new.pdf").unlink()
    assert b"%PDF " + b"x" * 300_000 + b"\0" in left(made)


def test_bulk_is_replaced_in_items_and_where_there_was_none(instance):
    icons = E.sequence(0x00880200, E.element(PIXELS, "OB", b"ABCD"))
    made = instance(identity() + icons)
    made.replace_bulk("IconImageSequence.PixelData", b"WXYZ")
    made.replace_bulk("PixelData", b"new!")
    new = E.element(PIXELS, "OW", b"new!")
    assert left(made) == identity() + icons.replace(b"ABCD", b"WXYZ") + new


def test_a_private_value_is_replaced_by_its_creator(instance):
    private = E.element(0x00290010, "LO", "MAKER ") + E.element(0x00291010, "OB", b"ABCD")
    made = instance(identity() + private)
    made.replace_bulk("(0029,10,MAKER)", b"WXYZ")
    assert left(made) == identity() + private.replace(b"ABCD", b"WXYZ")
    with pytest.raises(Hold, match="no such private creator"):
        made.replace_bulk("(0029,10,NOBODY)", b"WXYZ")


def test_bulk_is_replaced_in_one_place_only(instance):
    icons = E.sequence(0x00880200, b"", b"")
    with pytest.raises(Hold, match="leads to 2 places"):
        instance(identity() + icons).replace_bulk("IconImageSequence.PixelData", b"WXYZ")
    with pytest.raises(Hold, match="is not a DICOM keyword"):
        instance(identity()).replace_bulk("PixelDate", b"WXYZ")


def test_compressed_pixels_are_replaced_by_compressed_ones(instance):
    made = instance(identity() + E.encapsulated(b"ABCD"), JPEG)
    made.replace_bulk("PixelData", encapsulate([b"WXYZ"], has_bot=False))
    assert left(made) == identity() + E.encapsulated(b"WXYZ")
    made.replace_bulk("PixelData", E.encapsulated(b"again!")[12:])
    assert left(made) == identity() + E.encapsulated(b"again!")
    with pytest.raises(Hold, match="encapsulated"):
        made.replace_bulk("PixelData", b"not fragments")


def test_real_files_with_pixels_come_back_the_same_from_a_mapping_that_changes_none(data, tmp_path):
    for path in sorted((data / "pydicom_data").glob("SC_rgb*.dcm")):
        part10 = open_part10(path)
        source = FileRange(str(path), part10.dataset_offset, part10.length)
        scan = rescan(source.path, source.offset, source.length, part10.transfer_syntax)
        made = Instance(
            Source((source,), scan), association=CT1, route="r", received=NOW, workspace=tmp_path
        )
        before = [frame.copy() for frame in made.frames()]
        made.map_frames(lambda index, frame: frame)
        made.seal()
        assert np.array_equal(before, list(made.frames())), Path(path).name


def test_big_endian_bytes_are_no_longer_words_after_a_change(instance):
    made = instance(image(bytes(range(6)), B, bits=8, vr="OB"), BIG)
    made.map_frames(lambda index, frame: frame)
    assert left(made) == image(bytes(range(6)), B, bits=8, vr="OB")
    assert made.transfer_syntax != IMPLICIT
