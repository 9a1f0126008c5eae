"""What stands in for UIDs, patients and dates: by a keyed hash, the same on every node."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import date, timedelta

from pydicom._uid_dict import UID_dictionary

_SHORTEST_SECRET = 16
_MOST_DAYS = 3650
_DATE = re.compile(r"(\d{4})(?:\.?(\d\d)(?:\.?(\d\d))?)?(.*)", re.DOTALL)


class Surrogates:
    """Derives every replacement from `secret`; ValueError for an empty one."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError(
                "the secret is empty; make one with `openssl rand -hex 32 > FILE` and give it as "
                "`secret: !file FILE`"
            )
        self.is_guessable = len(secret.encode()) < _SHORTEST_SECRET
        self._key = hashlib.sha256(b"dicom-router deidentify\0" + secret.encode()).digest()

    def digest(self, purpose: str, value: str) -> bytes:
        message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256")

    def uid(self, uid: str) -> str:
        """A UID of the UUID form (PS3.5 B.2); those that the standard defines stay."""
        if uid in UID_dictionary:
            return uid
        bits = int.from_bytes(self.digest("uid", uid)[:16], "big")
        # Version 8, variant 1 (RFC 9562 5.8): a UUID of the maker's own making.
        bits = bits & ~(0xF << 76) | 0x8 << 76
        bits = bits & ~(0x3 << 62) | 0x2 << 62
        return f"2.25.{bits}"

    def pseudonym(self, patient: str) -> str:
        """Sixteen characters without vowels' confusables, 80 bits."""
        return base64.b32encode(self.digest("patient", patient)[:10]).decode()

    def title(self, ae_title: str) -> str:
        """An AE title that is the same for the same one."""
        return f"AE{base64.b32encode(self.digest('title', ae_title)[:5]).decode()}"

    def days(self, patient: str) -> int:
        """By how many days a patient's dates are moved: one to about ten years back."""
        return -(365 + int.from_bytes(self.digest("days", patient)[:8], "big") % _MOST_DAYS)

    @property
    def key(self) -> bytes:
        """A key for encrypting what can be reversed."""
        return hmac.digest(self._key, b"map", "sha256")


def shifted(value: str, days: int) -> str | None:
    """A DA or DT value `days` later, as precise as it was; None for what is no date."""
    match = _DATE.fullmatch(value)
    if not match:
        return None
    year, month, day, rest = match.groups()
    if rest and not (day and re.fullmatch(r"[\d.+-]*", rest)):
        return None
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    parts = [f"{moved.year:04}", month and f"{moved.month:02}", day and f"{moved.day:02}"]
    return "".join(filter(None, parts)) + rest
