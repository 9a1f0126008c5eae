"""Amounts as administrators write them (`30 s`, `5 GiB`), read into seconds and bytes."""

import math
import re
from collections.abc import Mapping

from router.config.mistakes import suggest

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
    "KB": 1000,
}
_RATES = {
    **{f"{unit}/s": size for unit, size in _BYTES.items()},
    **{f"{prefix}bit/s": 1000**power / 8 for power, prefix in enumerate("kMG", 1)},
}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z/]*)")


def _pattern(units: Mapping[str, float]) -> str:
    """What can be an amount; only 0 has no unit."""
    return rf"0+(\.0+)?|\d+(\.\d+)?\s*({'|'.join(units)})"


DURATION_PATTERN = _pattern(_SECONDS)
SIZE_PATTERN = _pattern(_BYTES)
RATE_PATTERN = _pattern(_RATES)


def duration(value: object) -> float:
    """Seconds of `500 ms`, `30 s`, `5 min`, `1 h`, `1 d` or 0; ValueError says what is wrong."""
    return _amount(value, _SECONDS, "a time such as 30 s, 5 min, 1 h or 1 d")


def duration_or_never(value: object) -> float:
    """Like `duration`; `never` is infinite."""
    return math.inf if value == "never" else duration(value)


def size(value: object) -> int:
    """Bytes of `64 KiB`, `200 MB`, `5 GiB` or 0; ValueError says what is wrong."""
    return int(_amount(value, _BYTES, "a size such as 200 MB or 5 GiB"))


def size_or_unlimited(value: object) -> float:
    """Like `size`; `unlimited` is infinite."""
    return math.inf if value == "unlimited" else size(value)


def rate(value: object) -> float:
    """Bytes per second of `20 MB/s` or `100 Mbit/s`; `unlimited` is infinite."""
    if value == "unlimited":
        return math.inf
    amount = _amount(value, _RATES, "a rate such as 20 MB/s or 100 Mbit/s")
    if not amount:
        raise ValueError("nothing would ever be sent; `dicom-router pause` is for that")
    return amount


def _amount(value: object, units: Mapping[str, float], expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected {expected}")
    match = _AMOUNT.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"'{value}' is not {expected}")
    number, unit = match.groups()
    if not unit and float(number) != 0:
        raise ValueError(f"{value} of what? say the unit: {expected}")
    if unit and unit not in units:
        raise ValueError(f"unknown unit '{unit}'{suggest(unit, units)}")
    return float(number) * units.get(unit, 1)


def duration_text(seconds: float) -> str:
    """As a file would have it: `90 s`, `1 d`, or `never`."""
    return "never" if seconds == math.inf else _amount_text(seconds, _SECONDS, "s")


def size_text(number: float) -> str:
    """As a file would have it: `5 GiB`, or `unlimited`."""
    return "unlimited" if number == math.inf else _amount_text(number, _BYTES, "B")


def rate_text(per_second: float) -> str:
    """As a file would have it: `20 MB/s`, or `unlimited`."""
    return "unlimited" if per_second == math.inf else _amount_text(per_second, _RATES, "B/s")


def _amount_text(amount: float, units: Mapping[str, float], smallest: str) -> str:
    """In the largest unit that it is a whole number of."""
    if amount == 0:
        return "0"
    for unit in sorted(units, key=lambda each: -units[each]):
        number = amount / units[unit]
        if number.is_integer():
            return f"{int(number)} {unit}"
    return f"{amount:f} {smallest}"
