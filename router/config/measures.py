"""Numbers, dates, times and ages put on a scale, so that a rule can compare them."""

import re

NUMERIC = frozenset({"DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV"})
ORDERED = NUMERIC | {"DA", "TM", "DT", "AS"}

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")  # PS3.5 6.2: yyyy.mm.dd in old data
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d*)?)?)?")
_DATE_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d*)?(?:[-+]\d{4})?")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_FIRST = (0, 1, 1, 0, 0, 0)  # what the parts a DT leaves out stand for
_LAST = (0, 12, 31, 23, 59, 59)


def measure(text: str, vr: str, *, last: bool = False) -> float | None:
    """`text` on the scale of its VR, None where it does not read as one.

    Numbers are themselves, DA and DT count as yyyymmdd and yyyymmddhhmmss, TM as hhmmss, AS in
    days. What a TM or DT leaves out counts as its beginning, or its `last` second.
    """
    text = text.strip(" \0")
    if vr in NUMERIC:
        return float(text) if _NUMBER.fullmatch(text) else None
    if vr == "AS":
        age = _AGE.fullmatch(text.upper())
        return int(age[1]) * _DAYS[age[2]] if age else None
    pattern = {"DA": _DATE, "TM": _TIME, "DT": _DATE_TIME}[vr]
    match = pattern.fullmatch(text)
    if match is None:
        return None
    if vr == "DA":
        return float("".join(match.groups()))
    if vr == "TM":
        hours, minutes, seconds, fraction = match.groups()
        filler = "59" if last else "00"
        return float(f"{hours}{minutes or filler}{seconds or filler}{fraction or ''}")
    filled = zip(match.groups(), _LAST if last else _FIRST, strict=True)
    return float("".join(part or f"{default:02}" for part, default in filled))
