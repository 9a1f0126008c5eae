"""Whether an entity is what a query asks for: the attribute matching of PS3.4 C.2.2.2."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from router.query.moments import (
    date_matches,
    date_time,
    date_time_matches,
    date_time_range,
    has_zone,
    shifted,
    time_matches,
    zone_of,
)
from router.routing.matching import glob
from router.spool import name_groups

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from datetime import timezone

    from router.dataset import Attributes

    Values = Mapping[str, tuple[str, list[Any]]]

TIMEZONE = "00080201"
_WITH_WILDCARDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_COMPONENTS = 5
# Dates with their times, which a query in another time zone means together.
_PAIRS = [
    ("00080012", "00080013"),
    *((f"000800{number}", f"000800{number + 10}") for number in range(20, 24)),
    *(("00400002", "00400003"), ("00400004", "00400005")),
    *(("00400244", "00400245"), ("00400250", "00400251")),
]


def matches(keys: Attributes, entity: Values, *, together: bool = False) -> bool:
    """Whether every key matches. What an entity does not have or know matches no key with a value;
    of several values one has to match. Names match without case and accents.

    `together`: ranges of a date and of its time are one range (PS3.4 C.2.2.2.5.4).
    """
    key_zone = _zone(keys)
    zone = _zone(entity)
    if key_zone is not None and zone is not None and key_zone != zone:
        entity = _in_zone(entity, key_zone, zone)
    ranges = _ranges(keys) if together else {}
    if not all(_in_range(key, *pair, entity) for pair, key in ranges.items()):
        return False
    done = {TIMEZONE, *(tag for pair in ranges for tag in pair)}
    for tag, (vr, asked) in keys.items():
        if tag in done or is_universal(vr, asked):
            continue
        own_vr, values = entity.get(tag, (vr, []))
        if own_vr == "SQ" or vr == "SQ":
            if own_vr != vr or not any(
                matches(asked[0], item, together=together) for item in values
            ):
                return False
        elif not any(
            _matches(own_vr, key, value, key_zone, zone) for key in asked for value in values
        ):
            return False
    return True


def in_zone_of(keys: Attributes, entity: Values) -> Attributes:
    """Dates and times as an answer has them in the time zone of its query, where both say one."""
    key_zone, zone = _zone(keys), _zone(entity)
    if key_zone is None or zone is None or key_zone == zone:
        return dict(entity)
    said = _said_in(entity, key_zone, zone, entity[TIMEZONE][1][0].strip())
    return {**said, TIMEZONE: keys[TIMEZONE]}


def is_universal(vr: str, asked: list[Any]) -> bool:
    """Whether a key matches everything, known or not."""
    if vr == "SQ":
        return not asked or all(is_universal(*key) for key in asked[0].values())
    if vr in _WITH_WILDCARDS and all(key and not key.strip("*") for key in asked):
        return True
    return not any(asked)


def _matches(
    vr: str, key: str, value: str, key_zone: timezone | None, zone: timezone | None
) -> bool:
    if not value or not key:
        return False
    match vr:
        case "PN":
            return _name_matches(key, value)
        case "DA":
            return date_matches(key, value)
        case "TM":
            return time_matches(key, value)
        case "DT":
            return date_time_matches(key, value, key_zone, zone)
        case "IS" | "DS" | "US" | "SS" | "UL" | "SL" | "UV" | "SV" | "FL" | "FD":
            return key == value or _is_same_number(key, value)
        case _:
            return key == value or (vr in _WITH_WILDCARDS and bool(_pattern(key).fullmatch(value)))


def _name_matches(key: str, value: str) -> bool:
    """One component group may be any of the name's; of several each is that one of the name."""
    asked, groups = name_groups(key), name_groups(value)
    if len(asked) == 1:
        return any(_group_matches(asked[0], group) for group in groups if group)
    groups += [""] * len(asked)
    return all(_group_matches(one, group) for one, group in zip(asked, groups, strict=False) if one)


def _group_matches(key: str, group: str) -> bool:
    pattern = _pattern(key)
    if pattern.fullmatch(group):
        return True
    # `DOE^*` is also a Doe without a given name, whose delimiters nobody wrote.
    missing = _COMPONENTS - 1 - group.count("^")
    return key.endswith("*") and bool(pattern.fullmatch(group + "^" * missing))


@lru_cache(maxsize=1024)
def _pattern(key: str) -> re.Pattern[str]:
    return glob(key)


def _is_same_number(key: str, value: str) -> bool:
    try:
        return float(key) == float(value)
    except ValueError:
        return False


def _ranges(keys: Attributes) -> dict[tuple[str, str], str]:
    """By date and time, the range that both are of."""
    found = {}
    for pair in _PAIRS:
        dates, times = (keys.get(tag, ("", []))[1] for tag in pair)
        if len(dates) == len(times) == 1 and (key := date_time_range(dates[0], times[0])):
            found[pair] = key
    return found


def _in_range(key: str, date: str, time: str, entity: Values) -> bool:
    dates, times = (entity.get(tag, ("", []))[1] for tag in (date, time))
    return any(
        date_time_matches(key, moment, None, None)
        for moment in map(date_time, dates, times)
        if moment
    )


def _zone(attributes: Values) -> timezone | None:
    _, texts = attributes.get(TIMEZONE, ("", []))
    return zone_of(texts[0]) if texts else None


def _said_in(entity: Values, wanted: timezone, zone: timezone, offset: str) -> Attributes:
    """With the zone written behind what may name one; `offset` is its text."""
    changed = _in_zone(entity, wanted, zone)
    for tag, (vr, values) in changed.items():
        if vr == "SQ":
            changed[tag] = vr, [_said_in(item, wanted, zone, offset) for item in values]
        elif vr == "DT":
            changed[tag] = vr, [text if has_zone(text) else text + offset for text in values]
    return changed


def _in_zone(entity: Values, wanted: timezone, zone: timezone) -> Attributes:
    changed = dict(entity)
    by = (wanted.utcoffset(None) or timedelta()) - (zone.utcoffset(None) or timedelta())
    for date, time in _PAIRS:
        dates, times = (entity.get(tag, ("", []))[1] for tag in (date, time))
        if len(dates) == len(times) == 1:
            there, then = shifted(dates[0], times[0], by)
            changed[date], changed[time] = ("DA", [there]), ("TM", [then])
    return changed
