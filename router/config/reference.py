"""What every key is for, in the words of the reference page, which is installed with the code."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_HEADING = re.compile(r"## (?:`(.*)`|(Top level)|.*)")
_OF_ONE_TYPE = re.compile(r"`type: (\w+)` has besides|Any other type has besides")
_ROW = re.compile(r"\| `(\w+)` \| .*? \| (.*) \|")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def explanation(place: tuple[str, ...], key: str) -> str:
    """What is said of a key of the model at that place, see `schema.models`; Markdown."""
    parts = [part for part in place if part != "*"]
    if parts[:1] == ["destinations"] and len(parts) > 1:
        kind = parts.pop(1)
        if (".".join([*parts, kind]), key) in _texts():
            parts.append(kind)
    return _texts().get((".".join(parts), key), "")


@cache
def _texts() -> dict[tuple[str, str], str]:
    """By section (without names and indexes; a destination's type last) and key."""
    found: dict[tuple[str, str], str] = {}
    section, kind = "", ""
    for line in files(__package__).joinpath("reference.md").read_text("utf-8").splitlines():
        if heading := _HEADING.fullmatch(line):
            about = "" if heading[2] else heading[1] or "no keys"
            section, kind = about.replace(".NAME", ""), ""
        elif besides := _OF_ONE_TYPE.match(line):
            kind = f".{besides[1] or 'plugin'}"
        elif row := _ROW.fullmatch(line):
            found[section + kind, row[1]] = _LINK.sub(r"\1", row[2])
    return found
