"""Amounts with their units."""

import math

import pytest

from router.config.units import duration, duration_or_never, rate, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500 ms", 0.5), ("30 s", 30), ("5min", 300), ("1.5 h", 5400), ("1 d", 86400), (0, 0)],
)
def test_a_duration_is_read_as_seconds(text, seconds):
    assert duration(text) == seconds


def test_never_is_infinite_only_where_it_makes_sense():
    assert duration_or_never("never") == math.inf
    with pytest.raises(ValueError, match="'never' is not a time such as 30 s"):
        duration("never")


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("64 KiB", 65536), ("200 MB", 200_000_000), ("5 GiB", 5 << 30), ("1 kB", 1000), (0, 0)],
)
def test_a_size_is_read_as_bytes(text, bytes_):
    assert size(text) == bytes_


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("20 MB/s", 20e6),
        ("64 KiB/s", 65536),
        ("100 Mbit/s", 12.5e6),
        ("1.5 Gbit/s", 187.5e6),
        ("unlimited", math.inf),
    ],
)
def test_a_rate_is_read_as_bytes_per_second(text, bytes_per_second):
    assert rate(text) == bytes_per_second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20 MB", "unknown unit 'MB', did you mean 'MB/s'?"),
        ("100 Mbits/s", "unknown unit 'Mbits/s', did you mean 'Mbit/s'?"),
        (20, "20 of what? say the unit: a rate such as 20 MB/s or 100 Mbit/s"),
        (0, "nothing would ever be sent; `dicom-router pause` is for that"),
        ("fast", "'fast' is not a rate such as 20 MB/s or 100 Mbit/s"),
    ],
)
def test_a_rate_that_cannot_be_read_says_why(text, message):
    with pytest.raises(ValueError) as caught:
        rate(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (30, "30 of what? say the unit: a time such as 30 s, 5 min, 1 h or 1 d"),
        ("5 minutes", "unknown unit 'minutes', did you mean 'min'?"),
        ("-5 s", "'-5 s' is not a time such as 30 s, 5 min, 1 h or 1 d"),
        (True, "expected a time such as 30 s, 5 min, 1 h or 1 d"),
        (None, "expected a time such as 30 s, 5 min, 1 h or 1 d"),
    ],
)
def test_an_amount_that_cannot_be_read_says_why(text, message):
    with pytest.raises(ValueError) as caught:
        duration(text)
    assert str(caught.value) == message
