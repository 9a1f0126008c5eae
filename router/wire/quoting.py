"""What peers send, for log lines: it cannot pass for another field."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[\w.*/:-]+", re.ASCII)


def quoted(text: str) -> str:
    """The text, in quotes and escaped where it is more than a word."""
    return text if _PLAIN.fullmatch(text) else repr(text)
