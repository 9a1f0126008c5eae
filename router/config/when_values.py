"""One value of a `when` condition, read into the test it stands for."""

from __future__ import annotations

import math
import re
from datetime import time
from functools import cache
from typing import TYPE_CHECKING

from pydicom._uid_dict import UID_dictionary

from router.config import when as w
from router.config.measures import ORDERED, UTC_VR, measure
from router.config.mistakes import nearest, suggest
from router.config.tree import described
from router.config.values import ae_title, network

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.config.tree import Scalar

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(.+)")
_SPAN = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_EXPECTED = {
    "DA": 'a date: 20200131, "<= 20200131" or 20200101-20200131',
    "TM": 'a time: 0700, "< 0700" or 07:00-18:00',
    "DT": 'a date and time: 20200131, "< 202001310700" or 20200101-20200131',
    "AS": 'an age: 018Y, "< 018Y" or 000D-017Y',
}


def element_test(scalar: Scalar, vr: str) -> w.Test:
    """The test of an element of that VR (UN: not known); ValueError says what is wrong."""
    if vr in ORDERED and type(scalar.value) in (int, float):
        return _ordered(scalar.raw, vr)
    text = _text(scalar)
    if vr in ORDERED:
        return _ordered(text, vr)
    compares = _COMPARISON.fullmatch(text)
    if vr == "UN" and compares:
        return _ordered(text, "DS")
    if compares and measure(compares[2], "DS") is not None:
        raise ValueError(f"'{text}' compares, which needs a number, date or time, not text ({vr})")
    if vr == "UI":
        return _uid(text)
    return _exact(ae_title(text)) if vr == "AE" else w.Text(text)


def association_test(
    scalar: Scalar, attribute: w.Attribute, names: Collection[str] | None
) -> w.Test:
    """The test of an attribute of the association; `names` are those it can have, if known."""
    text = _text(scalar)
    match attribute:
        case "address":
            return w.Network(network(text))
        case "time":
            return _time_of_day(text)
        case "calling_ae_title" | "called_ae_title":
            return _exact(ae_title(text))
        case "peer" | "listener":
            test = _exact(text)
            if isinstance(test, w.Exact) and names is not None and text not in names:
                raise ValueError(f"unknown {attribute} '{text}'{suggest(text, names)}")
            return test


def _text(scalar: Scalar) -> str:
    if scalar.value is None or scalar.value == "":
        raise ValueError("is empty here; {exists: false} asks for what is not there")
    if not isinstance(scalar.value, str):
        raise ValueError(described(scalar))
    if scalar.value.startswith("!="):
        raise ValueError("there is no '!=': put what it should not be under `not:`")
    return scalar.value


def _exact(text: str) -> w.Text | w.Exact:
    return w.Text(text, exact=True) if re.search(r"[*?]", text) else w.Exact(text.strip())


def _ordered(text: str, vr: str) -> w.Number | w.Range:
    text = text.strip()
    # What says its offset from UTC is a moment; the rest is compared by the clock it is read from.
    for scale in (UTC_VR, vr) if vr == "DT" else (vr,):
        if test := _comparison(text, scale) or _range(text, scale):
            break
    else:
        expected = _EXPECTED.get(vr, 'a number: 5, "<= 1.5" or 1-5')
        raise ValueError(f"'{text}' is not {expected}")
    if isinstance(test, w.Range) and test.low > test.high:
        raise ValueError(f"'{text}' ends before it begins")
    return test


def _comparison(text: str, vr: str) -> w.Number | None:
    compares = _COMPARISON.fullmatch(text)
    if compares is None:
        return None
    operator = _OPERATORS[compares[1]]
    bound = measure(compares[2], vr, last=operator in ("<=", ">"))
    return None if bound is None else w.Number(operator, bound, vr)


_OPERATORS: dict[str, w.Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}


def _range(text: str, vr: str) -> w.Range | None:
    """`text` as a single value or as LOW-HIGH, where either may be left out."""
    # The minus of a number and the offset of a DT are dashes too, so every dash is tried.
    whole = measure(text, vr)
    if whole is not None:
        return w.Range(whole, measure(text, vr, last=True) or whole, vr)
    for dash in (i for i, character in enumerate(text) if character == "-"):
        first, last = text[:dash].strip(), text[dash + 1 :].strip()
        low = measure(first, vr) if first else -math.inf
        high = measure(last, vr, last=True) if last else math.inf
        if low is not None and high is not None and (first or last):
            return w.Range(low, high, vr)
    return None


def _time_of_day(text: str) -> w.TimeOfDay:
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is None:
            raise ValueError
        hours, minutes, end_hours, end_minutes = map(int, span.groups())
        if (end_hours, end_minutes) == (24, 0):
            end_hours = 0
        start, end = time(hours, minutes), time(end_hours, end_minutes)
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day such as 07:00-18:00") from None
    if start == end != time():
        raise ValueError(f"'{text}' has no time between its start and its end")
    return w.TimeOfDay(start, end)


@cache
def _uids() -> dict[str, str]:
    """Every UID of the standard by name and by keyword."""
    named = {entry[0]: uid for uid, entry in UID_dictionary.items() if entry[0]}
    return named | {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[4]}


def _uid(text: str) -> w.Test:
    text = text.strip()
    if re.fullmatch(r"[0-9.*?]+", text):
        return _exact(text)
    uid = _uids().get(text)
    if uid is None:
        raise ValueError(f"'{text}' is neither a UID nor the name of one{nearest(text, _uids())}")
    return w.Exact(uid)
