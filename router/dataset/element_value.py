"""Single values between pydicom and bytes: decoded once more to compare, encoded to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element
from pydicom.multival import MultiValue
from pydicom.valuerep import AMBIGUOUS_VR, PersonName

from router.dataset.charset import DEFAULT
from router.dataset.encoding import SPECIFIC_CHARACTER_SET, TEXT_VRS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag


# VRs of characters, with what pads their values to even length (PS3.5 6.2)
_PADDING = dict.fromkeys(TEXT_VRS | {"AE", "AS", "CS", "DA", "DT", "TM", "UR"}, b" ") | {
    "UI": b"\0"
}


def settled(dataset: Dataset, tag: BaseTag, little: bool) -> DataElement:
    """An element of the data set, decoded, of one VR; ValueError where that is impossible."""
    given = dataset.get_item(tag)
    try:
        element = given if isinstance(given, DataElement) else dataset[tag]
        element = _of_one_vr(element, dataset, little)
    except Exception as error:
        raise ValueError(f"{tag} cannot be read ({type(error).__name__})") from None
    return element


def is_same(
    current: DataElement | RawDataElement,
    original: DataElement | RawDataElement,
    dataset: Dataset,
    codecs: Sequence[str],
) -> bool:
    """Whether an element is as it came, at most decoded since."""
    if current is original and isinstance(current, RawDataElement):
        return True
    if isinstance(current, RawDataElement) or isinstance(original, DataElement):
        return isinstance(current, RawDataElement) and current == original
    if _is_plainly_other(current, original):
        return False
    encodings = default_encoding if current.tag == SPECIFIC_CHARACTER_SET else list(codecs)
    try:
        fresh = convert_raw_data_element(original, encoding=encodings, ds=dataset)
        fresh = _of_one_vr(fresh, dataset, original.is_little_endian)
    except Exception:
        return False  # what came cannot be decoded, so this was put in its place
    return bool(fresh == current)


def encode_value(
    element: DataElement, little: bool, codecs: Sequence[str], came: bytes = b""
) -> bytes:
    """The bytes of a value, of even length; `came` are those in the place of which it is.

    ValueError where it does not fit its VR or the character set; the value is not in its text.
    """
    plain = _plain(element)
    if plain is not None:
        return plain + _PADDING[element.VR] if len(plain) % 2 else plain
    if element.VR in TEXT_VRS:
        _require_encodable(element, codecs, came)
    # In Implicit VR, whatever the data set is in: pydicom then neither refuses ambiguous VRs nor
    # turns long values into UN, and the eight bytes before the value are easily left out.
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, little
    try:
        write_data_element(buffer, element, list(codecs))
    except Exception as error:
        raise ValueError(
            f"{element.tag} has a value that cannot be written as {element.VR} "
            f"({type(error).__name__})"
        ) from None
    value = buffer.getvalue()[8:]
    return value + b"\0" if len(value) % 2 else value


def _plain(element: DataElement) -> bytes | None:
    """The unpadded value, if it is one text of ASCII, which is the same in all character sets.

    What most rewrites write, at a tenth of the time that pydicom takes.
    """
    value = element.value
    if isinstance(value, PersonName) and element.VR == "PN":
        if value.original_string:
            return None  # of one that was read pydicom has the bytes, with what str() leaves out
        value = str(value)
    elif element.VR == "PN" or element.VR not in _PADDING:
        return None
    return value.encode("ascii") if isinstance(value, str) and value.isascii() else None


def _is_plainly_other(current: DataElement, original: RawDataElement) -> bool:
    """Whether a text is not in the bytes that came, so that these need not be decoded."""
    came = original.value or b""
    plain = _plain(current)
    if not plain:
        return plain is not None and bool(came.strip(b" \0="))  # of a name, empty groups
    return plain not in came and b"\x1b" not in came


def _of_one_vr(element: DataElement, dataset: Dataset, little: bool) -> DataElement:
    if element.VR in AMBIGUOUS_VR:
        correct_ambiguous_vr_element(element, dataset, little)  # in place
    return element


def _require_encodable(element: DataElement, codecs: Sequence[str], came: bytes) -> None:
    """pydicom would write question marks; and Latin-1 where no character set is named."""
    values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    for text in map(str, values):
        if text.isascii():
            continue
        if tuple(codecs) == DEFAULT and came.isascii():
            raise ValueError(
                f"{element.tag} has characters beyond ASCII, and the data set names no character "
                "set: put `character_set` before this into the chain, or set SpecificCharacterSet"
            )
        if not all(_encodes(character, codecs) for character in set(text)):
            raise ValueError(
                f"{element.tag} has characters that are not in the data set's character set "
                f"({', '.join(codecs)}): set SpecificCharacterSet as well"
            )


def _encodes(character: str, codecs: Sequence[str]) -> bool:
    for codec in codecs:
        try:
            character.encode(codec)
        except UnicodeEncodeError:
            continue
        return True
    return False
