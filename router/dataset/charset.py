"""Specific Character Set (PS3.3 C.12.1.1.2): text out of bytes, never failing, for any thread.

pydicom's own decoder warns through process-wide settings and its log; only its tables are used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydicom.charset import (
    CODES_TO_ENCODINGS,
    STAND_ALONE_ENCODINGS,
    default_encoding,
    handled_encodings,
    python_encoding,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT: tuple[str, ...] = (default_encoding,)

_RUN = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
# PS3.5 6.1.2.5.3: what ends the effect of an escape sequence, in a person name ^ and = as well.
_TEXT_DELIMITERS = re.compile(rb"[\\\t\n\f\r]")
_NAME_DELIMITERS = re.compile(rb"[\\\t\n\f\r^=]")
_MISSPELT = re.compile(r"ISO.?(?P<extended>2022.?)?IR.?(?P<number>\d+)$", re.IGNORECASE)


def codecs_of(terms: Sequence[str]) -> tuple[str, ...]:
    """Python's names for the values of (0008,0005); an unknown one counts as the default."""
    found = tuple(_codec(term.strip(" \0")) for term in terms)
    if not found:
        return DEFAULT
    # Multi-byte sets without code extensions stand alone (PS3.3 table C.12-5).
    return found[:1] if terms[0].strip(" \0") in STAND_ALONE_ENCODINGS else found


def decode(value: bytes, codecs: Sequence[str], vr: str) -> str:
    """The text of a value; what its character set does not know becomes U+FFFD."""
    if b"\x1b" not in value:
        return value.decode(codecs[0], "replace")
    delimiters = _NAME_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
    return "".join(_decode_run(run, codecs, delimiters) for run in _RUN.findall(value))


def _codec(term: str) -> str:
    if codec := python_encoding.get(term):
        return codec
    if match := _MISSPELT.match(term):
        prefix = "ISO 2022 IR " if match["extended"] else "ISO_IR "
        return python_encoding.get(prefix + match["number"], default_encoding)
    return default_encoding


def _decode_run(run: bytes, codecs: Sequence[str], delimiters: re.Pattern[bytes]) -> str:
    """Decode what is between two escape characters, from the first of them on."""
    size = 4 if run[:3] in (b"\x1b$(", b"\x1b$)") else 3
    codec = CODES_TO_ENCODINGS.get(run[:size])
    if codec is None or (codec not in codecs and codec != default_encoding):
        return run.decode(codecs[0], "replace")
    if codec in handled_encodings:  # Python reads these with their escape sequence
        return run.decode(codec, "replace")
    end = match.start() if (match := delimiters.search(run, size)) else len(run)
    return run[size:end].decode(codec, "replace") + run[end:].decode(codecs[0], "replace")
