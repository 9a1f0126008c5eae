"""Times of the week, by the wall clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from router.config.schedule import is_open, opens, period

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """`Wed 17:59` of the week of 5 January 2026."""
    day, clock = text.split()
    number = 5 + ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day)
    return datetime.fromisoformat(f"2026-01-{number:02d}T{clock}").replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("written", "moment", "open_"),
    [
        ([], "Wed 12:00", True),
        (["18:00-06:00"], "Wed 17:59", False),
        (["18:00-06:00"], "Wed 18:00", True),
        (["18:00-06:00"], "Thu 05:59", True),
        (["18:00-06:00"], "Thu 06:00", False),
        (["00:00-24:00"], "Sun 23:59", True),
        (["12:00-24:00"], "Sun 23:59", True),
        (["12:00-24:00"], "Mon 00:00", False),
        (["Sat-Sun"], "Fri 23:59", False),
        (["Sat-Sun"], "Sat 00:00", True),
        (["Sat-Sun"], "Sun 23:59", True),
        (["Sat-Sun"], "Mon 00:00", False),
        (["sat"], "Sat 12:00", True),
        (["Sun-Mon"], "Mon 12:00", True),
        (["Sun-Mon"], "Tue 00:00", False),
        (["Mon-Fri 12:00-13:00"], "Fri 12:30", True),
        (["Mon-Fri 12:00-13:00"], "Sat 12:30", False),
        (["Fri 22:00-04:00"], "Sat 03:59", True),
        (["Fri 22:00-04:00"], "Fri 03:59", False),
        (["Sun 22:00-04:00"], "Mon 03:59", True),
        (["18:00-06:00", "Sat-Sun"], "Sun 12:00", True),
        (["18:00-06:00", "Sat-Sun"], "Mon 12:00", False),
    ],
)
def test_it_is_open_in_any_of_its_periods(written, moment, open_):
    assert is_open([period(text) for text in written], at(moment)) is open_


@pytest.mark.parametrize(
    ("written", "moment", "opens_at"),
    [
        (["18:00-06:00"], "Wed 12:00", "Wed 18:00"),
        (["18:00-06:00"], "Wed 20:00", "Wed 20:00"),
        (["Sat-Sun"], "Wed 12:00", "Sat 00:00"),
        (["Sat-Sun", "Fri 12:00-13:00"], "Wed 12:00", "Fri 12:00"),
        (["Wed 11:00-12:00", "Sun"], "Wed 12:00", "Sun 00:00"),
    ],
)
def test_it_is_known_when_it_opens(written, moment, opens_at):
    assert opens([period(text) for text in written], at(moment)) == at(opens_at)


def test_what_is_open_once_a_week_opens_in_a_week():
    opened = opens([period("Wed 11:00-12:00")], at("Wed 12:00"))
    assert (opened - at("Wed 11:00")).days == 7


@pytest.mark.parametrize(
    "text", ["18:00-06:00", "Sat-Mon", "Fri 22:00-04:00", "Mon-Fri 07:00-12:00"]
)
def test_a_period_is_told_as_it_is_written(text):
    assert str(period(text)) == text
