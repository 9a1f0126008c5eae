"""What an index has columns for, so that a query need not look at every study: names and dates."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

_DATE = re.compile(r"(\d{4})([.\-]?)(\d\d)\2(\d\d)")


def folded_name(text: str) -> str:
    """A component group of a person name as names are compared: without case and accents, padding
    of components, and components that are missing at its end (PS3.4 C.2.2.2.1 leaves that open).
    """
    lowered = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(each for each in lowered if not unicodedata.combining(each))
    return "^".join(part.strip() for part in plain.split("^")).rstrip("^ ")


def name_groups(text: str) -> list[str]:
    """The component groups of a person name, folded; those that are empty too."""
    return [folded_name(group) for group in text.split("=")]


def plain_date(text: str) -> str:
    """A DA as YYYYMMDD, also of one written as ACR-NEMA did; "" for what is none."""
    match = _DATE.fullmatch(text.strip())
    return "".join(match.group(1, 3, 4)) if match else ""


@dataclass(frozen=True)
class Narrowing:
    """Which entries an answer can only be among, by column; what is left out may be any.

    `equal`: one of these texts. `like`: a pattern with `*` and `?` that one of the texts of the
    column matches. `between`: dates, both ends included, "" for an open one.
    """

    equal: dict[str, tuple[str, ...]] = field(default_factory=dict)
    like: dict[str, str] = field(default_factory=dict)
    between: dict[str, tuple[str, str]] = field(default_factory=dict)
