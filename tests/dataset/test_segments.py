"""Bytes in memory and in files, read as one."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dataset import FileRange, SegmentReader, read_segments, total_length
from router.dataset.segments import cut, merge


@pytest.fixture
def parts(tmp_path):
    """Segments, and the bytes they stand for."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"0123456789")
    two.write_bytes(bytes(range(256)) * 1000)
    segments = (
        b"head",
        FileRange(str(one), 2, 5),
        b"",
        FileRange(str(two), 0, 256_000),
        FileRange(str(one), 0, 1),
        b"tail",
    )
    return segments, b"head" + b"23456" + two.read_bytes() + b"0" + b"tail"


def test_segments_are_read_in_order(parts):
    segments, whole = parts
    assert b"".join(read_segments(segments)) == whole
    assert b"".join(read_segments(segments, chunk=1000)) == whole
    assert total_length(segments) == len(whole)


def test_a_file_that_ends_before_its_range_is_an_error(tmp_path):
    path = tmp_path / "short"
    path.write_bytes(b"01234")
    short = FileRange(str(path), 2, 10)
    with pytest.raises(OSError, match="ends before byte 12"):
        list(read_segments([short]))
    with pytest.raises(OSError, match="ends before byte 12"), SegmentReader([short]) as reader:
        io.BufferedReader(reader).read()


def test_a_reader_reads_and_seeks_like_a_file(parts):
    segments, whole = parts
    with io.BufferedReader(SegmentReader(segments)) as reader:
        assert reader.read() == whole
        for offset in (0, 3, 4, 8, 9, 10, len(whole) - 5, len(whole), len(whole) + 5):
            assert reader.seek(offset) == offset
            assert reader.read(7) == whole[offset : offset + 7]
        assert reader.seek(-4, os.SEEK_END) == len(whole) - 4
        assert reader.read() == b"tail"
        with pytest.raises(ValueError):
            reader.seek(-1)


def test_a_reader_of_nothing_is_at_its_end():
    assert SegmentReader([]).read() == b""


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_cut_is_the_slice_of_the_whole(offset, length):
    segments = [b"01234", b"", FileRange("/f", 100, 10), b"ab", FileRange("/g", 0, 3)]
    spelt = [(None, byte) for byte in b"01234"] + [("/f", n) for n in range(100, 110)]
    spelt += [(None, byte) for byte in b"ab"] + [("/g", n) for n in range(3)]
    if length and offset + length > len(spelt):
        with pytest.raises(ValueError):
            cut(segments, offset, length)
        return
    found = []
    for segment in cut(segments, offset, length):
        if isinstance(segment, bytes):
            found += [(None, byte) for byte in segment]
        else:
            stop = segment.offset + segment.length
            found += [(segment.path, n) for n in range(segment.offset, stop)]
    assert found == spelt[offset : offset + length]


def test_neighbours_are_merged():
    assert merge([b"a", b"", b"b", FileRange("/f", 0, 5), FileRange("/f", 5, 5), b"c"]) == [
        b"ab", FileRange("/f", 0, 10), b"c",
    ]  # fmt: skip
    apart = [FileRange("/f", 0, 5), FileRange("/f", 6, 5), FileRange("/g", 11, 5)]
    assert merge(apart) == apart
    assert merge([b"", FileRange("/f", 0, 0)]) == []
