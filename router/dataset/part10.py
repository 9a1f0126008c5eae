"""DICOM files (PS3.10): the bytes before a data set, written and read by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error
from typing import TYPE_CHECKING

from router.dataset.encoding import EXPLICIT_LITTLE, EXPLICIT_VRS, UNKNOWN_VR

if TYPE_CHECKING:
    from pathlib import Path

# 2.25 and a random UUID, made once for this implementation (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID = "2.25.148071381334964952332838340385343645143"
IMPLEMENTATION_VERSION_NAME = "DICOM_ROUTER"

_PREAMBLE = bytes(128) + b"DICM"
_LARGEST_META = 64 * 1024
_HEADER, _LONG = Struct("<HH2sH"), Struct("<L")


@dataclass(frozen=True, slots=True)
class Part10:
    """A DICOM file: what its file meta information says, and where its data set is."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    dataset_offset: int
    length: int


def encode_file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax: str,
    source_ae: str = "",
    sending_ae: str = "",
    receiving_ae: str = "",
) -> bytes:
    """The preamble, prefix and file meta information that go before a data set (PS3.10 7.1)."""
    before = _before(sop_class_uid)
    after = _after(transfer_syntax, (source_ae, sending_ae, receiving_ae))
    instance = _uid(0x0003, sop_instance_uid)
    length = _LONG.pack(len(before) + len(instance) + len(after))
    return b"".join((_PREAMBLE, _meta(0x0000, "UL", length), before, instance, after))


def open_part10(path: str | Path) -> Part10:
    """Find the data set of a DICOM file; ValueError where it is none, OSError if unreadable."""
    with open(path, "rb") as file:
        start = file.read(_LARGEST_META)
        size = os.fstat(file.fileno()).st_size
    if start[128:132] != b"DICM":
        raise ValueError(f"{path} is not a DICOM file: no DICM after a preamble of 128 bytes")
    try:
        values, end = _read_meta(start)
    except error:
        raise ValueError(f"{path}: the file meta information is cut off or too long") from None
    if not values.get(0x0010):
        raise ValueError(f"{path}: the file meta information names no transfer syntax")
    return Part10(values.get(2, ""), values.get(3, ""), values[0x0010], end, size - end)


@lru_cache
def _before(sop_class_uid: str) -> bytes:
    return _meta(0x0001, "OB", b"\x00\x01") + _uid(0x0002, sop_class_uid)


@lru_cache
def _after(transfer_syntax: str, titles: tuple[str, str, str]) -> bytes:
    elements = [
        _uid(0x0010, transfer_syntax),
        _uid(0x0012, IMPLEMENTATION_CLASS_UID),
        _meta(0x0013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
    ]
    for element, title in zip((0x0016, 0x0017, 0x0018), titles, strict=True):
        if title:
            elements.append(_meta(element, "AE", title.encode("ascii", "replace")))
    return b"".join(elements)


def _uid(element: int, uid: str) -> bytes:
    return _meta(element, "UI", uid.encode("ascii"))


def _meta(element: int, vr: str, value: bytes) -> bytes:
    if len(value) % 2:
        value += b" " if vr in ("AE", "SH") else b"\x00"
    return EXPLICIT_LITTLE.header(0x00020000 | element, vr, len(value)) + value


def _read_meta(start: bytes) -> tuple[dict[int, str], int]:
    """The values of group 2 as text, and where it ends; struct.error where it is cut off.

    The group length is not relied on: it is wrong often enough.
    """
    values: dict[int, str] = {}
    at = len(_PREAMBLE)
    while start[at : at + 2] == b"\x02\x00":
        _, element, code, length = _HEADER.unpack_from(start, at)
        at += 8
        if EXPLICIT_VRS.get(code, UNKNOWN_VR)[1] == 12:
            (length,) = _LONG.unpack_from(start, at)
            at += 4
        if at + length > len(start):
            raise error
        values.setdefault(element, start[at : at + length].decode("ascii", "replace").strip(" \0"))
        at += length
    return values, at
