"""Data sets written by hand, by none of the code under test."""

import struct
from dataclasses import dataclass
from pathlib import Path

from router.dataset import FileRange, Scan, Scanner, read_segments, segments

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"

UNDEFINED = 0xFFFFFFFF
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}


@dataclass(frozen=True)
class Writer:
    transfer_syntax: str

    @property
    def order(self) -> str:
        return ">" if self.transfer_syntax == BIG else "<"

    def head(self, tag, vr, length):
        group, element = tag >> 16, tag & 0xFFFF
        if self.transfer_syntax == IMPLICIT:
            return struct.pack("<HHL", group, element, length)
        start = struct.pack(self.order + "HH2s", group, element, vr.encode("latin-1"))
        return start + struct.pack(*((self.order + "HL", 0, length) if vr in LONG
                                     else (self.order + "H", length)))  # fmt: skip

    def element(self, tag, vr, value):
        if isinstance(value, str):
            value = value.encode("latin-1")
            value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
        return self.head(tag, vr, len(value)) + value

    def number(self, tag, vr, code, *values):
        return self.element(tag, vr, struct.pack(f"{self.order}{len(values)}{code}", *values))

    def mark(self, element, length):
        return struct.pack(self.order + "HHL", 0xFFFE, element, length)

    def item(self, content, defined=True):
        if defined:
            return self.mark(0xE000, len(content)) + content
        return self.mark(0xE000, UNDEFINED) + content + self.mark(0xE00D, 0)

    def sequence(self, tag, *contents, defined=True, vr="SQ"):
        value = b"".join(self.item(content, defined) for content in contents)
        if defined:
            return self.head(tag, vr, len(value)) + value
        return self.head(tag, vr, UNDEFINED) + value + self.mark(0xE0DD, 0)

    def encapsulated(self, *fragments, tag=0x7FE00010, vr="OB"):
        value = b"".join(self.mark(0xE000, len(part)) + part for part in (b"", *fragments))
        return self.head(tag, vr, UNDEFINED) + value + self.mark(0xE0DD, 0)


E = Writer(EXPLICIT)
I = Writer(IMPLICIT)  # noqa: E741
B = Writer(BIG)


def scanned(data: bytes, transfer_syntax: str = EXPLICIT, chunk: int = 0, **options) -> Scan:
    scanner = Scanner(transfer_syntax, **options)
    chunk = chunk or max(1, len(data))
    for at in range(0, len(data), chunk):
        scanner.feed(memoryview(data)[at : at + chunk])
    return scanner.finish()


def reassembled(scan: Scan, data: bytes) -> bytes:
    """The header with the bulk values put back into it."""
    pieces = scan.pieces(0, len(scan.header))
    return b"".join(
        piece if isinstance(piece, bytes) else data[piece.offset : piece.offset + piece.length]
        for piece in pieces
    )


def stored(data: bytes, folder: Path, before: bytes = b"something before") -> FileRange:
    """The data set in a file, behind other bytes."""
    path = folder / "received"
    path.write_bytes(before + data)
    return FileRange(str(path), len(before), len(data))


def leaving(dataset, scan: Scan, source: FileRange) -> bytes:
    return b"".join(read_segments(segments(dataset, scan, source)))
