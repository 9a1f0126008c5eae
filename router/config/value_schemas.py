"""The kinds of value of a configuration as JSON Schema, for editors: never stricter than reading.

An editor cannot know everything that reading a value refuses; what it refuses, reading refuses too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import WithJsonSchema

from router.config.schedule import PERIOD_PATTERN
from router.config.units import DURATION_PATTERN, RATE_PATTERN, SIZE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

_AE_TITLE = r" *[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])? *"  # PS3.5 6.2
_ADDRESS = r"[0-9A-Fa-f.:]+(%[^/]+)?"
_WHOLE = r"-?\d+|0x[0-9A-Fa-f]+"  # as text too: an environment variable's
_VARIABLE = "[A-Z_][A-Z0-9_]*"  # of `!env`, of which editors see the name only


def text(pattern: str, *examples: str) -> WithJsonSchema:
    """Text that the pattern matches whole."""
    shown: dict[str, Any] = {"examples": list(examples)} if examples else {}
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$", **shown})


def whole(lowest: int, highest: int | None = None, *words: str) -> WithJsonSchema:
    """A whole number, or one of the words."""
    limits = {"minimum": lowest} | ({"maximum": highest} if highest is not None else {})
    pattern = "|".join((*words, _WHOLE, _VARIABLE))
    return WithJsonSchema({"type": ["integer", "string"], "pattern": f"^({pattern})$", **limits})


def one_of(names: Iterable[str], *, also: Iterable[str] = (), pattern: str = "") -> WithJsonSchema:
    """One of the names, which editors offer; or of others, or what the pattern matches."""
    listed: dict[str, Any] = {"enum": list(names)}
    others = "|".join(filter(None, [*map(re.escape, also), pattern]))
    if not others:
        return WithJsonSchema({"type": "string", **listed})
    return WithJsonSchema({"type": "string", "anyOf": [listed, {"pattern": f"^({others})$"}]})


def _amount(pattern: str, *words: str) -> WithJsonSchema:
    """A number with its unit; of plain numbers 0 only."""
    whole_pattern = "|".join((*words, rf"\s*({pattern})\s*", _VARIABLE))
    return WithJsonSchema(
        {
            "type": ["string", "number"],
            "pattern": f"^({whole_pattern})$",
            "minimum": 0,
            "maximum": 0,
        }
    )


DURATION = _amount(DURATION_PATTERN)
DURATION_OR_NEVER = _amount(DURATION_PATTERN, "never")
CLOSE_AFTER = _amount(DURATION_PATTERN, "study")
SIZE = _amount(SIZE_PATTERN)
SIZE_OR_UNLIMITED = _amount(SIZE_PATTERN, "unlimited")
RATE = _amount(RATE_PATTERN, "unlimited")
PERIOD = text(rf"\s*({PERIOD_PATTERN})\s*", "18:00-06:00", "Sat-Sun", "Mon-Fri 12:00-13:00")
NAME = text(r"[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*")
AE_TITLE = text(_AE_TITLE)
CALLING_AE_TITLE = text(rf"\{{calling_ae_title\}}|{_AE_TITLE}", "{calling_ae_title}")
ADDRESS = text(_ADDRESS)
BIND_ADDRESS = text(f"localhost|{_ADDRESS}", "0.0.0.0", "127.0.0.1")
NETWORK = text(rf"{_ADDRESS}(/[0-9A-Fa-f.:]+)?", "10.0.0.0/8")
CERTIFICATE = text(
    r"(SHA256|DNS|IP|EMAIL|URI|sha256|dns|ip|email|uri):.+|\s*[A-Za-z][A-Za-z0-9.]*=.+",
    "SHA256:...", "DNS:ct1.hospital", "CN=ct1,O=Hospital",
)  # fmt: skip
HOST_NAME = text(r"[^\s/]+")
STATUS = WithJsonSchema(
    {
        "type": ["integer", "string"],
        "pattern": "^0x[0-9A-Fa-f]+$",
        "minimum": 0,
        "maximum": 0xFFFF,
        "examples": [0x0111],
    }
)
TIME_ZONE = WithJsonSchema({"type": "string", "examples": ["local", "Europe/Berlin"]})
TEXT = WithJsonSchema({"type": "string"})
WEB_ADDRESS = WithJsonSchema({"type": "string", "format": "uri"})
