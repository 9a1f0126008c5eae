"""Dates and times as queries mean them (PS3.4 C.2.2.2.1 and C.2.2.2.5): by meaning, not by text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from router.spool import plain_date

if TYPE_CHECKING:
    from collections.abc import Callable

_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?")
_DATE_TIME = r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})?"
_SINGLE = re.compile(_DATE_TIME)
_RANGE = re.compile(rf"({_DATE_TIME})?-({_DATE_TIME})?")
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)")
_LEAST = "00000101000000000000"
_MOST = "99991231235959999999"


class Moment(NamedTuple):
    """The first and last instant that a value with missing parts may mean, and its zone."""

    first: datetime
    last: datetime

    def in_zone(self, zone: timezone | None) -> Moment:
        """Of a zone where it has none itself."""
        if zone is None or self.first.tzinfo is not None:
            return self
        return Moment(self.first.replace(tzinfo=zone), self.last.replace(tzinfo=zone))


def zone_of(text: str) -> timezone | None:
    """An offset from UTC such as +0100; None for what is none."""
    match = _OFFSET.fullmatch(text.strip())
    if not match:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if match[1] == "-":
        offset = -offset
    return timezone(offset) if -12 <= offset / timedelta(hours=1) <= 14 else None


def has_zone(text: str) -> bool:
    """Whether a DT names its zone; what is empty needs none."""
    return not text.strip() or zone_of(text.strip()[-5:]) is not None


def date_matches(key: str, value: str) -> bool:
    """Whether a DA is the key's date, or within its range."""
    return _within(key, value, _date)


def time_matches(key: str, value: str) -> bool:
    """Whether a TM is the key's time, or within its range."""
    return _within(key, value, _time)


def date_time_matches(
    key: str, value: str, key_zone: timezone | None, zone: timezone | None
) -> bool:
    """Whether a DT is the key's or within its range; zones count for values that name none."""
    found = _date_time(value)
    if found is None:
        return key == value
    found = found.in_zone(zone)
    single = _date_time(key)
    if single is not None:
        single, found = _comparable(single.in_zone(key_zone), found)
        return single.first == found.first
    ends = _RANGE.fullmatch(key)
    if not ends:
        return False
    first, last = (_date_time(text) if text else None for text in ends.groups())
    if first is not None:
        start, this = _comparable(first.in_zone(key_zone), found)
        if this.first < start.first:
            return False
    if last is not None:
        end, this = _comparable(last.in_zone(key_zone), found)
        if this.first > end.last:
            return False
    return (first is not None or not ends[1]) and (last is not None or not ends[2])


def date_time(date: str, time: str) -> str:
    """A DA and a TM as a DT; "" for what is none."""
    day, then = plain_date(date), time.strip().replace(":", "")
    return day + then if day and _TIME.fullmatch(then) else ""


def date_time_range(dates: str, times: str) -> str | None:
    """The range of DT that a DA range and a TM range are together; None where they are no ranges,
    or have other ends.
    """
    days = range_ends(dates)
    first, dash, last = times.replace(":", "").partition("-")
    ends = first.strip(), last.strip()
    if days is None or plain_date(dates) or not dash:
        return None
    if any(bool(day) != bool(end) for day, end in zip(days, ends, strict=True)):
        return None
    if not all(_TIME.fullmatch(end) for end in ends if end):
        return None
    return "-".join(day + end for day, end in zip(days, ends, strict=True))


def shifted(date: str, time: str, by: timedelta) -> tuple[str, str]:
    """A DA and a TM, `by` later; as they are where they are no date and time."""
    moment = _date_time(plain_date(date) + time.replace(":", ""))
    if moment is None or not time:
        return date, time
    try:
        later = moment.first + by
    except OverflowError:
        return date, time
    return f"{later:%Y%m%d}", f"{later:%H%M%S.%f}"


def range_ends(key: str) -> tuple[str, str] | None:
    """The ends of a range of dates, "" for an open one; None for what is no range of dates."""
    if plain_date(key):
        return plain_date(key), plain_date(key)
    first, dash, last = key.partition("-")
    ends = tuple(plain_date(end) if end.strip() else "" for end in (first, last))
    is_good = all(good or not end.strip() for good, end in zip(ends, (first, last), strict=True))
    return (ends[0], ends[1]) if dash and is_good and any(ends) else None


def _within(key: str, value: str, parse: Callable[[str], tuple[str, str] | None]) -> bool:
    made, single = parse(value), parse(key)
    if made is None or single is not None:
        return made[0] == single[0] if made and single else key == value
    first, dash, last = key.partition("-")
    start, end = parse(first), parse(last)
    if not dash or (first.strip() and not start) or (last.strip() and not end):
        return False
    return (not start or start[0] <= made[0]) and (not end or made[0] <= end[1])


def _date(text: str) -> tuple[str, str] | None:
    found = plain_date(text)
    return (found, found) if found else None


def _time(text: str) -> tuple[str, str] | None:
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    hours, minutes, seconds, fraction = match.groups()
    first = f"{hours}{minutes or '00'}{seconds or '00'}{(fraction or '').ljust(6, '0')}"
    last = f"{hours}{minutes or '59'}{seconds or '59'}{(fraction or '').ljust(6, '9')}"
    return first, last


def _date_time(text: str) -> Moment | None:
    text = text.strip()
    if not _SINGLE.fullmatch(text):
        return None
    zone = zone_of(text[-5:])
    if text[-5:-4] in ("+", "-"):
        if zone is None:
            return None
        text = text[:-5]
    whole, _, fraction = text.partition(".")
    if fraction and len(whole) != 14:
        return None
    digits = whole + fraction
    try:
        first = _instant(digits + _LEAST[len(digits) :], zone)
        last = _last_of(digits, zone)
    except ValueError:
        return None
    return Moment(first, last)


def _last_of(digits: str, zone: timezone | None) -> datetime:
    if len(digits) != 6:
        return _instant(digits + _MOST[len(digits) :], zone)
    month = _instant(digits + _LEAST[6:], zone)
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(microseconds=1)


def _instant(digits: str, zone: timezone | None) -> datetime:
    parts = [int(digits[:4])] + [int(digits[at : at + 2]) for at in range(4, 14, 2)]
    parts[5] = min(parts[5], 59)  # a leap second
    year, month, day, hour, minute, second = parts
    microsecond = int(digits[14:20].ljust(6, "0"))
    return datetime(year, month, day, hour, minute, second, microsecond, zone)


def _comparable(one: Moment, other: Moment) -> tuple[Moment, Moment]:
    """Both with a zone, or both without: where one has none it means the other's."""
    zone = one.first.tzinfo or other.first.tzinfo
    if zone is None:
        return one, other
    assert isinstance(zone, timezone)
    return one.in_zone(zone), other.in_zone(zone)
