"""How elements are written (PS3.5 7): the encodings, the VRs, and which values are bulk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR
from pydicom.uid import UID

UNDEFINED = 0xFFFFFFFF
UNDEFINED_LENGTH = b"\xff\xff\xff\xff"
ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
PIXEL_DATA = 0x7FE00010

LARGEST_HEADER_VALUE = 64 * 1024
# Float, Double Float and Pixel Data, Encapsulated Document, Waveform and Spectroscopy Data
BULK_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA, 0x00420011, 0x54001010, 0x56000020})

_SHORT = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
# Each VR as written, with the bytes before a value (PS3.5 table 7.1-2): 16 bits of length, or two
# reserved bytes and 32 bits.
EXPLICIT_VRS = {
    vr.encode(): (vr, size) for vrs, size in ((_SHORT, 8), (_LONG, 12)) for vr in vrs.split(" ")
}
UNKNOWN_VR = ("", 8)
BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # encoded by character set


_IMPLICIT_VRS = {
    tag: {"US or SS": "US", "OB or OW": "OW"}.get(entry[0], entry[0][-2:])
    for tag, entry in DicomDictionary.items()
    if entry[0] != "NONE"
}
SIGNED_TAGS = frozenset(  # SS, not US, where Pixel Representation is 1
    tag for tag, entry in DicomDictionary.items() if entry[0].startswith("US or SS")
)

# The data set itself is deflated: a few KiB can inflate to gigabytes. (Deflated Image Frame
# Compression is none of them: its frames are, within fragments that nobody has to inflate.)
DEFLATED = {  # with what they are inflated
    "1.2.840.10008.1.2.1.99": "1.2.840.10008.1.2.1",  # Deflated Explicit VR Little Endian
    "1.2.840.10008.1.2.4.95": "1.2.840.10008.1.2.4.94",  # JPIP Referenced Deflate
    "1.2.840.10008.1.2.4.205": "1.2.840.10008.1.2.4.204",  # JPIP HTJ2K Referenced Deflate
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How tags, VRs and lengths are written."""

    implicit: bool
    little: bool
    tag_and_length: Struct
    explicit_header: Struct
    long_length: Struct

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """The bytes before a value of `length` bytes (or of `UNDEFINED` length).

        ValueError where the length needs more bits than the VR has.
        """
        if length > UNDEFINED:
            raise ValueError(f"{tag_text(tag)} has {length} bytes; DICOM allows less than 4 GiB")
        group, element = tag >> 16, tag & 0xFFFF
        if self.implicit or group == 0xFFFE:
            return self.tag_and_length.pack(group, element, length)
        code = vr.encode()
        _, size = EXPLICIT_VRS.get(code, (vr, 0))
        if not size:
            raise ValueError(f"{tag_text(tag)} has no VR the data set can be written with")
        if size == 12:
            return self.explicit_header.pack(group, element, code, 0) + self.long_length.pack(
                length
            )
        if length > 0xFFFF:
            raise ValueError(
                f"{tag_text(tag)} has {length} bytes; in Explicit VR a value of VR {vr} has "
                "65,534 at most: shorten it"
            )
        return self.explicit_header.pack(group, element, code, length)


def _encoding(implicit: bool, little: bool) -> Encoding:
    order = "<" if little else ">"
    return Encoding(
        implicit, little, Struct(order + "HHL"), Struct(order + "HH2sH"), Struct(order + "L")
    )


EXPLICIT_LITTLE = _encoding(implicit=False, little=True)
EXPLICIT_BIG = _encoding(implicit=False, little=False)
IMPLICIT_LITTLE = _encoding(implicit=True, little=True)


def is_encapsulated(transfer_syntax: str) -> bool:
    """Whether pixels are fragments: in all but the native ones, known to pydicom or not."""
    return transfer_syntax not in (
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
    )


def encoding_of(transfer_syntax: str) -> Encoding:
    """How data sets of a transfer syntax are written: Explicit VR Little Endian but for two."""
    if transfer_syntax == "1.2.840.10008.1.2":
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if transfer_syntax == "1.2.840.10008.1.2.2" else EXPLICIT_LITTLE


def items_encoding(around: Encoding, vr: str) -> Encoding:
    """How the items of a sequence are written: those of UN always implicit (PS3.5 6.2.2 note 2)."""
    return IMPLICIT_LITTLE if vr == "UN" and not around.implicit else around


def implicit_vr(tag: int) -> str:
    """The VR of a tag read without one; of several possible the first, OW for pixels; else UN."""
    return _IMPLICIT_VRS.get(tag) or _unlisted_vr(tag)


@lru_cache(maxsize=4096)
def _unlisted_vr(tag: int) -> str:
    """Group lengths, private creators and repeating groups."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        return str(dictionary_VR(tag))[-2:]
    except KeyError:
        return "UN"


def uid_name(uid: str) -> str:
    """What the standard calls a SOP class or transfer syntax; of any other the UID."""
    return UID(uid).name


def tag_text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
