"""What goes into the database comes out of it."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from router.dataset import Bulk, FileRange
from router.spool.codec import (
    Paths,
    decode_bulk,
    encode_bulk,
    from_microseconds,
    to_microseconds,
)

NUMBERS = st.integers(0, 2**63)
RANGES = st.builds(
    FileRange, st.sampled_from(["/spool/files/1/a", "/spool/w/ü", "/x"]), NUMBERS, NUMBERS
)


@given(st.lists(st.builds(Bulk, NUMBERS, NUMBERS)))
def test_bulk_references_come_back(bulk: list[Bulk]) -> None:
    assert decode_bulk(encode_bulk(bulk)) == tuple(bulk)


@given(st.lists(st.binary() | RANGES))
def test_segments_come_back(segments: list[bytes | FileRange]) -> None:
    paths = Paths("/spool")
    assert paths.decode_segments(paths.encode_segments(segments)) == tuple(segments)


def test_a_spool_that_was_moved_finds_its_files() -> None:
    segments = Paths("/old").encode_segments([FileRange("/old/files/1/a", 3, 4)])
    assert Paths("/new").decode_segments(segments) == (FileRange("/new/files/1/a", 3, 4),)


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-7)))))
def test_times_come_back_to_the_microsecond(time: datetime) -> None:
    assert from_microseconds(to_microseconds(time)) == time
    assert from_microseconds(to_microseconds(time)).tzinfo is UTC
