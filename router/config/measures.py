"""Numbers, dates, times and ages put on a scale, so that a rule can compare them."""

import re
from datetime import UTC, datetime

NUMERIC = frozenset({"DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV"})
ORDERED = NUMERIC | {"DA", "TM", "DT", "AS"}

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")  # PS3.5 6.2: yyyy.mm.dd in old data
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d*)?)?)?")
_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d*)?)?)?)?)?)?([-+](?:0\d|1[0-4])[0-5]\d)?"
)
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_FIRST = ("", "01", "01", "00", "00", "00", "")  # what the parts a DT leaves out stand for
_LAST = ("", "12", "31", "23", "59", "59", "999999")
UTC_VR = "DT in UTC"  # the scale of a DT that says its offset; no VR of DICOM's


def measure(text: str, vr: str, *, last: bool = False) -> float | None:
    """`text` on the scale of its VR, None where it does not read as one.

    Numbers are themselves, DA count as yyyymmdd, TM as hhmmss, DT as yyyymmddhhmmss and six digits
    of a second, by the clock it was written by (`UTC_VR`: by that of UTC, None without an offset),
    AS in days. What a TM or DT leaves out counts as its beginning, or its `last` moment.
    """
    text = text.strip(" \0")
    if vr in NUMERIC:
        return float(text) if _NUMBER.fullmatch(text) else None
    if vr == "AS":
        age = _AGE.fullmatch(text.upper())
        return int(age[1]) * _DAYS[age[2]] if age else None
    if vr in ("DT", UTC_VR):
        return _moment(text, vr == UTC_VR, last)
    match = (_DATE if vr == "DA" else _TIME).fullmatch(text)
    if match is None:
        return None
    if vr == "DA":
        return float("".join(match.groups()))
    hours, minutes, seconds, fraction = match.groups()
    filler, rest = ("59", ".999999") if last else ("00", "")
    return float(f"{hours}{minutes or filler}{seconds or filler}{fraction or rest}")


def _moment(text: str, in_utc: bool, last: bool) -> int | None:
    match = _DATE_TIME.fullmatch(text)
    if match is None or (in_utc and match[8] is None):
        return None
    filled = zip(match.groups()[:7], _LAST if last else _FIRST, strict=True)
    *clock, fraction = (part or default for part, default in filled)
    digits = "".join(clock)
    if in_utc:
        try:
            begin = datetime.strptime(f"{digits}{match[8]}", "%Y%m%d%H%M%S%z")
            digits = f"{begin.astimezone(UTC):%Y%m%d%H%M%S}"
        except (ValueError, OverflowError):  # no such day
            return None
    return int(digits + fraction.lstrip(".")[:6].ljust(6, "0"))
