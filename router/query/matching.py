"""Whether an entity is what a query asks for: the attribute matching of PS3.4 C.2.2.2."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from router.query.moments import date_matches, date_time_matches, shifted, time_matches, zone_of
from router.routing.matching import glob
from router.spool import name_groups

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from datetime import timezone

    from router.dataset import Attributes

TIMEZONE = "00080201"
_WITH_WILDCARDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_COMPONENTS = 5
# Dates with their times, which a query in another time zone means together.
_PAIRS = [
    *((f"000800{number}", f"000800{number + 10}") for number in range(20, 24)),
    *(("00400244", "00400245"), ("00400250", "00400251")),
]


def matches(keys: Attributes, entity: Mapping[str, tuple[str, list[Any]]]) -> bool:
    """Whether every key matches. What an entity does not have or know matches no key with a value;
    of several values one has to match. Names match without case and accents.
    """
    key_zone = _zone(keys)
    zone = _zone(entity)
    if key_zone is not None and zone is not None and key_zone != zone:
        entity = _in_zone(entity, key_zone, zone)
    for tag, (vr, asked) in keys.items():
        if is_universal(vr, asked) or tag == TIMEZONE:
            continue
        own_vr, values = entity.get(tag, (vr, []))
        if own_vr == "SQ" or vr == "SQ":
            if own_vr != vr or not any(matches(asked[0], item) for item in values):
                return False
        elif not any(
            _matches(own_vr, key, value, key_zone, zone) for key in asked for value in values
        ):
            return False
    return True


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


def _zone(attributes: Mapping[str, tuple[str, list[Any]]]) -> timezone | None:
    _, texts = attributes.get(TIMEZONE, ("", []))
    return zone_of(texts[0]) if texts else None


def _in_zone(
    entity: Mapping[str, tuple[str, list[Any]]], wanted: timezone, zone: timezone
) -> Attributes:
    changed = dict(entity)
    by = (wanted.utcoffset(None) or timedelta()) - (zone.utcoffset(None) or timedelta())
    for date, time in _PAIRS:
        dates, times = (entity.get(tag, ("", []))[1] for tag in (date, time))
        if len(dates) == len(times) == 1:
            there, then = shifted(dates[0], times[0], by)
            changed[date], changed[time] = ("DA", [there]), ("TM", [then])
    return changed
