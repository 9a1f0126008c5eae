"""When a destination is sent to: times of the week, as administrators write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from router.config.mistakes import suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EXPECTED = "times of the week such as 18:00-06:00, Sat-Sun or Mon-Fri 12:00-13:00"
PERIOD_PATTERN = (
    r"(?:([A-Za-z]+)(?:\s*-\s*([A-Za-z]+))?)?\s*"
    r"(?:(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d))?"
)
_PERIOD = re.compile(PERIOD_PATTERN)
_WEEK = 8  # days in which every period begins once, from any moment of today on


@dataclass(frozen=True)
class Period:
    """From `start` until before `end` of the wall clock, on the next day where that is not later;
    begun on one of `days` (0 is Monday).
    """

    days: frozenset[int]
    start: time
    end: time

    def __str__(self) -> str:
        firsts = [day for day in self.days if (day - 1) % 7 not in self.days]
        ends = [(firsts[0] + more) % 7 for more in (0, len(self.days) - 1)] if firsts else []
        days = "-".join(dict.fromkeys(_DAYS[day] for day in ends))
        clock = f"{self.start:%H:%M}-{self.end:%H:%M}" if self.start != self.end else ""
        return f"{days} {clock}".strip() or "Mon-Sun"

    def on(self, day: datetime) -> tuple[datetime, datetime]:
        """When it begins on this day, and when it is over."""
        start = datetime.combine(day, self.start)
        end = datetime.combine(day, self.end)
        return start, end if end > start else end + timedelta(days=1)


def is_open(schedule: Sequence[Period], moment: datetime) -> bool:
    """Whether the wall clock of `moment` is in one of the periods; always, if there are none."""
    if not schedule:
        return True
    now = moment.replace(tzinfo=None)
    return any(
        day.weekday() in period.days and period.on(day)[0] <= now < period.on(day)[1]
        for period in schedule
        for day in (now, now - timedelta(days=1))  # what began yesterday may last until today
    )


def opens(schedule: Sequence[Period], moment: datetime) -> datetime:
    """When it is open next, in the same time zone: `moment` if it is now."""
    if is_open(schedule, moment):
        return moment
    now = moment.replace(tzinfo=None)
    starts = [
        period.on(day)[0]
        for period in schedule
        for day in (now + timedelta(days=ahead) for ahead in range(_WEEK))
        if day.weekday() in period.days
    ]
    return min(start for start in starts if start > now).replace(tzinfo=moment.tzinfo)


def period(text: str) -> Period:
    """`18:00-06:00`, `Sat-Sun`, `Mon-Fri 12:00-13:00`; ValueError says what is wrong."""
    match = _PERIOD.fullmatch(text.strip())
    if match is None or not text.strip():
        raise ValueError(f"'{text}' is not {_EXPECTED}")
    first, last, *clock = match.groups()
    start = end = time()
    if clock[0]:
        start, end = _time(clock[0], clock[1]), _time(clock[2], clock[3])
        if start == end and start != time():
            raise ValueError(f"'{text}' has no time between its start and its end")
    return Period(_days(first, last), start, end)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    begin = _day(first)
    end = begin if last is None else _day(last)
    return frozenset((begin + each) % 7 for each in range((end - begin) % 7 + 1))


def _day(text: str) -> int:
    if text.title() not in _DAYS:
        raise ValueError(f"unknown day '{text}'{suggest(text.title(), _DAYS)}")
    return _DAYS.index(text.title())


def _time(hour: str, minute: str) -> time:
    if (int(hour), int(minute)) == (24, 0):
        return time()
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{hour}:{minute} is not a time of day")
    return time(int(hour), int(minute))
