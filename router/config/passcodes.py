"""Users and the hashes of their passcodes, in a file of `name:hash` lines.

A hash is `scrypt$N$r$p$salt$digest` (RFC 7914), salt and digest in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 16 MiB and some 50 ms (RFC 7914): slow to guess, bearable at the beginning of an association.
_N, _R, _P = 2**14, 8, 1
_MEMORY = 64 * 1024 * 1024  # for parameters up to four times these
_NAME = re.compile(r"[^\s:#][^:\x00-\x1f\x7f]*")
_MOST_KNOWN = 10_000
# Whoever asks waits for his turn: guessing must not take all processors. In threads of their own,
# since the allocator keeps what a thread has freed: 16 MiB for each that had ever computed one.
_computing = ThreadPoolExecutor(2, "passcodes")


def hashed(passcode: str) -> str:
    """What a file keeps of a passcode, with a salt of its own."""
    salt = os.urandom(16)
    parts = (_encode(salt), _encode(_digest(passcode.encode(), salt, _N, _R, _P)))
    return "$".join(("scrypt", *map(str, (_N, _R, _P)), *parts))


def with_user(text: str, name: str, passcode: str) -> str:
    """The text of a file with a user added, or with another passcode; ValueError for bad names."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no user name: it has a colon, or begins with # or a space")
    others = [line for line in text.splitlines() if line.partition(":")[0] != name]
    return "\n".join([*others, f"{name}:{hashed(passcode)}"]) + "\n"


class Passcodes:
    """Who may identify as a user; two of the same file with the same content are equal."""

    def __init__(self, path: Path, content: bytes) -> None:
        """Raises ValueError with the number of a line that is none; it never quotes one."""
        self.path = path
        self._content = content
        self._hashes = _read(content)
        self._known: set[bytes] = set()  # what was right before, by a hash that only we can make
        self._key = os.urandom(32)
        self._nobody = hashed("")

    def __repr__(self) -> str:
        return f"Passcodes({self.path}, {len(self._hashes)} users)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passcodes) and (self.path, self._content) == (
            other.path,
            other._content,
        )

    def __hash__(self) -> int:
        return hash((self.path, self._content))

    def are(self, name: str, passcode: bytes) -> bool:
        """Whether the passcode is that user's; an unknown user takes as long as a known one."""
        seen = hashlib.blake2b(f"{len(name)}:{name}".encode() + passcode, key=self._key).digest()
        if seen in self._known:
            return True
        kept = self._hashes.get(name)
        matches = _computing.submit(_matches, passcode, kept or self._nobody).result()
        right = matches and kept is not None
        if right and len(self._known) < _MOST_KNOWN:
            self._known.add(seen)
        return right


def _read(content: bytes) -> Mapping[str, str]:
    found = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, kept = line.partition(":")
        if not _NAME.fullmatch(name) or not _is_hash(kept.strip()):
            raise ValueError(
                f"line {number} is no `name:hash`; `dicom-router passcode` writes such a file"
            )
        found[name] = kept.strip()
    return found


def _is_hash(kept: str) -> bool:
    try:
        kind, n, r, p, salt, digest = kept.split("$")
        cost = 128 * int(n) * int(r) * int(p)
        decoded = _decode(salt), _decode(digest)
    except (ValueError, binascii.Error):
        return False
    return kind == "scrypt" and 0 < cost < _MEMORY and all(decoded)


def _matches(passcode: bytes, kept: str) -> bool:
    _, n, r, p, salt, digest = kept.split("$")
    computed = _digest(passcode, _decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(computed, _decode(digest))


def _digest(passcode: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(passcode, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
