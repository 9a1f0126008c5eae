"""A deflated data set is scanned as what it holds, in bounded memory, whatever its bytes are."""

import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from router.dataset import (
    FileRange,
    Limits,
    Scanner,
    first,
    open_dataset,
    open_part10,
    parse_path,
    read_segments,
    scan_inflated,
    scan_segments,
    segments,
)
from router.dataset.inflater import UNCOUNTED

from .writing import EXPLICIT, E, scanned

DEFLATED = "1.2.840.10008.1.2.1.99"
MIB = 1 << 20
SMALL = E.element(0x00080060, "CS", "CT") + E.element(0x00100020, "LO", "4711")


def deflated(content: bytes, level: int = 9, wbits: int = -15, **options: bytes) -> bytes:
    stream = zlib.compressobj(level, wbits=wbits, **options)
    return stream.compress(content) + stream.flush()


def bomb(size: int) -> bytes:
    """Pixels that are nothing but zeros: a thousandth of them on the wire."""
    stream = zlib.compressobj(9, wbits=-15)
    made = [stream.compress(SMALL + E.head(0x7FE00010, "OW", size))]
    made += [stream.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join((*made, stream.flush()))


def explicit_files(data: Path) -> list[tuple[Path, bytes]]:
    """Data sets in Explicit VR Little Endian, of the shared files."""
    found = []
    for path in sorted((data / "pydicom_data").glob("*.dcm")):
        try:
            part10 = open_part10(path)
        except ValueError:
            continue
        if part10.transfer_syntax == EXPLICIT and part10.length < MIB:
            found.append((path, path.read_bytes()[part10.dataset_offset :]))
    return found


@pytest.mark.parametrize("chunk", [0, 1000, 1])
def test_its_elements_are_those_it_holds_in_whatever_pieces_it_comes(data, chunk):
    files = explicit_files(data)
    assert len(files) > 10
    for path, content in files:
        if chunk == 1 and len(content) > 20_000:
            continue
        plain, found = scanned(content, EXPLICIT), scanned(deflated(content), DEFLATED, chunk)
        assert found.transfer_syntax == DEFLATED
        assert (found.header, found.spans, found.bulk) == (plain.header, plain.spans, plain.bulk)
        assert (found.problem, found.length) == (plain.problem, plain.length), path.name


def test_a_real_file_reads_as_pydicom_reads_it():
    path = get_testdata_file("image_dfl.dcm", download=False)
    part10, theirs = open_part10(path), pydicom.dcmread(path)
    whole = FileRange(path, part10.dataset_offset, part10.length)
    scan = scan_segments([whole], part10.transfer_syntax)
    assert (part10.transfer_syntax, scan.problem) == (DEFLATED, None)
    ours = open_dataset(scan)
    assert [ours[element.tag] for element in theirs if element.tag != 0x7FE00010] == [
        element for element in theirs if element.tag != 0x7FE00010
    ]
    assert [bulk.length for bulk in scan.bulk] == [len(theirs.PixelData)]


@pytest.mark.parametrize("ratio", [50, 200, 500, 1000])
def test_a_bomb_is_found_out_when_it_is_one_and_takes_no_memory(ratio):
    noise = random.Random(ratio).randbytes(16 * MIB // ratio - 64)
    stream = zlib.compressobj(6, wbits=-15)
    scanner = Scanner(DEFLATED, Limits(inflated_ratio=100))
    scanner.feed(stream.compress(SMALL + E.head(0x7FE00010, "OW", 96 * MIB)))
    pieces = [stream.compress(noise + bytes(16 * MIB - len(noise))) for _ in range(6)]
    tracemalloc.start()
    try:
        for piece in (*pieces, stream.flush()):
            scanner.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
    scan = scanner.finish()
    if ratio < 100:
        assert (scan.problem, scan.length) == (None, len(SMALL) + 12 + 96 * MIB)
        return
    assert scan.problem.reason == "it inflates beyond limits.inflated_ratio"
    assert scan.problem.kind == "oversized"
    assert scan.length < UNCOUNTED + 101 * sum(map(len, pieces))  # no more was inflated


def test_what_is_small_may_be_of_any_ratio():
    content = bomb(8 * MIB)
    assert len(content) * 500 < 8 * MIB
    assert scanned(content, DEFLATED, limits=Limits(inflated_ratio=1)).problem is None


def test_what_inflates_beyond_the_cap_is_oversized_and_up_to_it_is_not():
    content = deflated(SMALL)
    assert scanned(content, DEFLATED, limits=Limits(inflated=len(SMALL))).problem is None
    problem = scanned(content, DEFLATED, limits=Limits(inflated=len(SMALL) - 1)).problem
    assert (problem.kind, problem.reason) == ("oversized", "it inflates beyond limits.inflated")


@pytest.mark.parametrize("level", [0, 1, 9])
def test_cut_off_anywhere_it_is_truncated(level):
    whole = deflated(SMALL * 3, level)
    for length in range(len(whole)):
        problem = scanned(whole[:length], DEFLATED).problem
        assert problem is not None, length
        assert problem.kind == "truncated", length
        assert problem.offset <= len(SMALL) * 3


def test_a_whole_stream_of_half_a_data_set_is_truncated():
    assert scanned(deflated(SMALL[:-1]), DEFLATED).problem.kind == "truncated"
    assert scanned(deflated(SMALL[:-1]) + b"more", DEFLATED).problem.kind == "truncated"


def test_the_checksum_and_length_that_gzip_writes_may_follow_if_they_are_right():
    right = struct.pack("<LL", zlib.crc32(SMALL), len(SMALL))
    for behind, good in ((right, True), (right + b"\0", True), (right + b"\0\0", False)):
        for chunk in (0, 1):
            assert (scanned(deflated(SMALL) + behind, DEFLATED, chunk).problem is None) == good
    wrong = struct.pack("<LL", zlib.crc32(SMALL), len(SMALL) + 1)
    assert scanned(deflated(SMALL) + wrong, DEFLATED).problem.kind == "unwalkable"


def test_nul_may_pad_it_and_what_else_follows_makes_it_unwalkable_with_all_its_elements():
    whole = deflated(SMALL)
    assert scanned(whole + b"\0", DEFLATED).problem is None
    assert scanned(whole + b"\0", DEFLATED, 1).problem is None
    for behind in (b"\0\0", b"D", b"DOE^JANE", whole, bytes(9)):
        for chunk in (0, 1):
            scan = scanned(whole + behind, DEFLATED, chunk)
            assert scan.problem.kind == "unwalkable"
            assert scan.problem.reason == "something follows its deflate stream"
            assert first(scan, parse_path("PatientID")) == "4711"
            assert b"".join(p for p in scan.pieces(0, len(scan.header)) if isinstance(p, bytes))
    with pytest.raises(ValueError, match="cannot be walked"):
        open_dataset(scan)


@pytest.mark.parametrize(
    "content",
    [
        deflated(SMALL, wbits=15, zdict=b"CS\x02\x00CT"),
        deflated(SMALL, zdict=SMALL),
        deflated(SMALL, wbits=15),
        deflated(SMALL, wbits=31),
        SMALL,
        b"\xff" * 100,
    ],
    ids=["zlib dictionary", "dictionary", "zlib", "gzip", "not deflated", "no block"],
)
def test_what_does_not_inflate_by_itself_is_broken(content):
    scan = scanned(content, DEFLATED)
    assert scan.problem.kind == "truncated"
    assert scan.problem.reason in ("it does not inflate", "its deflate stream is cut off")


def test_streams_of_random_bytes_never_raise():
    given = random.Random(7)
    for _ in range(300):
        broken = bytearray(deflated(SMALL * 5))
        for _ in range(given.randrange(1, 4)):
            broken[given.randrange(len(broken))] = given.randrange(256)
        scanned(bytes(broken), DEFLATED, given.choice([0, 1, 7]))
        scanned(given.randbytes(200), DEFLATED)


def test_to_be_rewritten_it_is_inflated_into_a_file_and_can_be_changed(tmp_path):
    content = SMALL + E.element(0x7FE00010, "OW", bytes(200_000))
    (tmp_path / "came").write_bytes(deflated(content))
    came = [FileRange(str(tmp_path / "came"), 0, len(deflated(content)))]
    where, scan = scan_inflated(came, DEFLATED, None, tmp_path / "made")
    assert (scan.transfer_syntax, scan.problem) == (EXPLICIT, None)
    assert b"".join(read_segments(where)) == content
    dataset = open_dataset(scan)
    dataset.PatientID = "12"
    left = b"".join(read_segments(segments(dataset, scan, where)))
    assert left == content.replace(b"LO\x04\x004711", b"LO\x02\x0012")


def test_as_it_is_it_can_be_looked_at_and_not_be_changed(tmp_path):
    content = deflated(SMALL)
    scan = scanned(content, DEFLATED)
    dataset = open_dataset(scan)
    assert dataset.PatientID == "4711"
    assert segments(dataset, scan, [content]) == [content]
    dataset.PatientID = "12"
    with pytest.raises(ValueError, match="it is deflated"):
        segments(dataset, scan, [content])


@pytest.mark.parametrize("broken", [deflated(SMALL)[:-1], deflated(SMALL) + b"more"])
def test_one_that_is_not_whole_stays_as_it_is(tmp_path, broken):
    where, scan = scan_inflated([broken], DEFLATED, None, tmp_path / "made")
    assert where == (broken,)
    assert scan.transfer_syntax == DEFLATED
    assert scan.problem is not None
    assert list((tmp_path / "made").iterdir()) == []
