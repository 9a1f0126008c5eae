"""Association PDUs as pynetdicom's decoders take them: what real peers send and it refuses."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from router.wire.errors import ProtocolViolation
from router.wire.pdv import INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterator

_PDU = struct.Struct(">BxL")
_ITEM = struct.Struct(">BxH")
_VERSION = slice(6, 8)
_RESERVED = slice(8, 10)
_TITLES = slice(10, 42)
_REST = slice(42, 74)
_ITEMS = 74  # where the variable items begin (PS3.8 tables 9-11 and 9-17)
_USER_INFORMATION = 0x50
_KNOWN = {0x10, 0x20, 0x21, _USER_INFORMATION, *range(0x51, 0x5A)}
_VERSION_NAME = 0x55


def tolerable(encoded: bytes) -> bytes:
    """An A-ASSOCIATE-RQ or -AC with all that does not matter to us in a plain form.

    The protocol version is a set of bits of which only the first is ours. AE titles, which may be
    blank or hold any byte, are replaced: take them from the original. Unknown items are dropped
    (PS3.8 9.3.1), Implementation Version Names made printable and short.
    Raises `ProtocolViolation` where items overrun.
    """
    version = b"\0\1" if encoded[7] & 1 else encoded[_VERSION]
    titles = b"TITLE".ljust(16) * 2
    body = version + encoded[_RESERVED] + titles + encoded[_REST] + _plain(encoded[_ITEMS:])
    return _PDU.pack(encoded[0], len(body)) + body


def stripped_titles(encoded: bytes) -> tuple[str, str]:
    """Called and calling AE title without their padding, bytes read as Latin-1."""
    titles = encoded[_TITLES].decode("latin-1")
    return titles[:16].strip("\0 "), titles[16:].strip("\0 ")


def _plain(items: bytes) -> bytes:
    plain = []
    for kind, content in _each(items):
        if kind not in _KNOWN:
            continue
        if kind == _USER_INFORMATION:
            content = _plain(content)
        elif kind == _VERSION_NAME:
            printable = (c if 0x20 < c < 0x7F and c != 0x5C else 0x20 for c in content[:16])
            content = bytes(printable).strip()
        plain.append(_ITEM.pack(kind, len(content)) + content)
    return b"".join(plain)


def _each(items: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(items):
        if at + 4 > len(items):
            raise ProtocolViolation("item cut short", INVALID_PARAMETER)
        kind, length = _ITEM.unpack_from(items, at)
        at += 4 + length
        if at > len(items):
            raise ProtocolViolation("item longer than its PDU", INVALID_PARAMETER)
        yield kind, items[at - length : at]
