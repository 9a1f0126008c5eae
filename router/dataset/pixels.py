"""Pixels of a data set frame by frame, from its file and to a new one; never all at once."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian

from router.dataset import decoders
from router.dataset.encoding import PIXEL_DATA, is_encapsulated
from router.dataset.opened import BulkValue
from router.dataset.segments import SegmentReader, read_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from pydicom.dataelem import DataElement
    from pydicom.pixels.decoders.base import Decoder

    from router.dataset.segments import Segment

    Frames = Iterator[tuple[NDArray[Any], dict[str, Any]]]
    # Of a frame's index, the frame and its description, what shall be in its place.
    Change = Callable[[int, NDArray[Any], dict[str, Any]], NDArray[Any]]
    Located = Callable[[bytes], Sequence[Segment]]  # where the bytes of a value are

_FLOAT, _DOUBLE = 0x7FE00008, 0x7FE00009
EXTENDED_OFFSETS = (0x7FE00001, 0x7FE00002)
_DESCRIBED_BY = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames",
)  # fmt: skip
# One decoder for each transfer syntax: left to itself pydicom tries all it finds.
_DECODED_BY = {
    "1.2.840.10008.1.2.5": "pylibjpeg",  # RLE
    "1.2.840.10008.1.2.4.50": "gdcm",  # JPEG Baseline
    decoders.JPEG_EXTENDED: "decode_jpeg_extended",
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": "gdcm",
    **dict.fromkeys(decoders.JPEG_LS, "decode_jpeg_ls"),
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",  # High-Throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
}
_WITHOUT_SIGN = _DECODED_BY.keys() - {"1.2.840.10008.1.2.5"}
for _uid in (decoders.JPEG_EXTENDED, *decoders.JPEG_LS):
    get_decoder(_uid).add_plugin(_DECODED_BY[_uid], (decoders.__name__, _DECODED_BY[_uid]))


class PixelError(ValueError):
    """The pixels cannot be read or written as asked; the text never has patient data."""


def pixel_element(dataset: Dataset) -> DataElement:
    """The element with the pixels; PixelError where there is none, or it is empty."""
    for tag in (PIXEL_DATA, _FLOAT, _DOUBLE):
        element = dataset.get(tag)
        if element is not None and (element.value or isinstance(element.value, BulkValue)):
            return element
    raise PixelError("the instance has no pixel data")


def read_frames(dataset: Dataset, transfer_syntax: UID, located: Located) -> Frames:
    """Each frame as stored, rows by columns (by samples), and pydicom's description of it.

    PixelError where the pixels do not fit their description, or nothing can decode them.
    """
    try:
        decoder = get_decoder(transfer_syntax)
    except NotImplementedError:
        raise PixelError(f"there is no decoder for {transfer_syntax.name}") from None
    described = _described(dataset, transfer_syntax, located)
    if not is_encapsulated(transfer_syntax) and described.get("BitsAllocated") == 1:
        frames = _packed_frames(described)
    else:
        frames = _decoded_frames(described, decoder)
    count = 0
    try:
        for count, (frame, meta) in enumerate(frames, 1):  # noqa: B007
            yield frame.astype(frame.dtype.newbyteorder("="), copy=False), meta
        expected = int(described.get("NumberOfFrames") or 1)
    except (OSError, PixelError):
        raise
    except Exception as error:
        raise PixelError(
            f"the pixels do not decode as {transfer_syntax.name} ({type(error).__name__})"
        ) from None
    if count != expected:
        raise PixelError(f"there are {count} frames, and should be {expected}")


def _decoded_frames(described: Dataset, decoder: Decoder) -> Frames:
    options: dict[str, Any] = {
        "raw": True,
        "validate": False,
        "decoding_plugin": _DECODED_BY.get(decoder.UID, ""),
        # What is above the bits stored may be an overlay; a codec leaves out only the sign.
        "correct_unused_bits": decoder.UID in _WITHOUT_SIGN
        and described.get("PixelRepresentation") == 1,
    }
    for frame, meta in decoder.iter_array(described, **options):
        if meta["photometric_interpretation"] == "YBR_FULL_422":
            meta["photometric_interpretation"] = "YBR_FULL"  # decoders give every sample
        if meta["bits_allocated"] < described.get("BitsAllocated", 0):
            # Codecs give no more bytes than their precision needs.
            meta["bits_allocated"] = described.BitsAllocated
            frame = frame.astype(f"{frame.dtype.kind}{described.BitsAllocated // 8}")
        yield frame, meta


def map_frames(
    dataset: Dataset, transfer_syntax: UID, located: Located, change: Change, file: IO[bytes]
) -> UID:
    """Write each frame as `change` gives it, natively; return the transfer syntax that is.

    The data set is made to describe what was written, but for the pixel element's value: the
    caller knows where the file's bytes will be. PixelError as for `read_frames`, and where a
    frame comes back in another shape or type.
    """
    native = ExplicitVRLittleEndian if is_encapsulated(transfer_syntax) else transfer_syntax
    frames = _changed(read_frames(dataset, transfer_syntax, located), change)
    write_native(dataset, frames, native, file)
    return native


def _changed(frames: Frames, change: Change) -> Frames:
    for index, (frame, meta) in enumerate(frames):
        changed = change(index, frame if frame.flags.writeable else frame.copy(), meta)
        if changed.shape != frame.shape or changed.dtype != frame.dtype:
            raise PixelError("a changed frame must have the shape and type of the one it replaces")
        yield changed, meta


def write_native(dataset: Dataset, frames: Frames, native: UID, file: IO[bytes]) -> None:
    """Write the frames as a native transfer syntax has them, and describe them as `map_frames`."""
    element = pixel_element(dataset)
    packed = dataset.get("BitsAllocated") == 1
    order: Literal["<", ">"] = "<" if native.is_little_endian else ">"
    bits = np.empty(0, np.uint8)  # of a last byte that is not full yet
    meta: dict[str, Any] = {}
    for frame, meta in frames:  # noqa: B007
        if packed:
            bits = np.concatenate([bits, frame.ravel().astype(np.uint8)])
            whole = len(bits) // 8 * 8
            file.write(np.packbits(bits[:whole], bitorder="little").tobytes())
            bits = bits[whole:]
        else:
            file.write(frame.astype(frame.dtype.newbyteorder(order), copy=False).tobytes())
    file.write(np.packbits(bits, bitorder="little").tobytes())
    if file.tell() % 2:
        file.write(b"\0")
    describe(dataset, meta)
    if element.tag == PIXEL_DATA:
        wide = native.is_implicit_VR or meta["bits_allocated"] > 8
        element.VR = "OW" if wide else "OB"
    element.is_undefined_length = False


def describe(dataset: Dataset, meta: dict[str, Any]) -> None:
    """Have the data set say what decoded frames are: by pixel, and in no table of offsets."""
    dataset.PhotometricInterpretation = str(meta["photometric_interpretation"])
    if meta["samples_per_pixel"] > 1:
        dataset.PlanarConfiguration = 0
    if PIXEL_DATA in dataset and dataset.BitsAllocated != 1:
        dataset.BitsAllocated = meta["bits_allocated"]
    for tag in EXTENDED_OFFSETS:
        if tag in dataset:
            del dataset[tag]


def blanking(rectangles: Iterable[tuple[int, int, int, int]]) -> Change:
    """What makes each frame black within rectangles of (x, y, width, height) pixels."""
    areas = [
        (slice(max(0, y), max(0, y + height)), slice(max(0, x), max(0, x + width)))
        for x, y, width, height in rectangles
    ]

    def blank(_: int, frame: NDArray[Any], meta: dict[str, Any]) -> NDArray[Any]:
        for area in areas:
            frame[area] = _black(frame, meta)
        return frame

    return blank


def _black(frame: NDArray[Any], meta: dict[str, Any]) -> int | tuple[int, int, int]:
    """The stored value (or values, by sample) of a black pixel (PS3.3 C.7.6.3.1.2)."""
    photometric = str(meta["photometric_interpretation"])
    if frame.dtype.kind == "f":
        return 0
    levels = 1 << int(meta["bits_stored"])
    if photometric.startswith("YBR"):
        return 0, levels // 2, levels // 2
    if not photometric.startswith("MONOCHROME"):
        return 0
    lowest = -levels // 2 if meta["pixel_representation"] == 1 else 0
    return lowest + levels - 1 if photometric == "MONOCHROME1" else lowest


def _packed_frames(described: Dataset) -> Frames:
    """Frames of single bits; pydicom 3.0.2 loses the last byte of some that begin inside one."""
    rows, columns = described.Rows, described.Columns
    meta = {
        "photometric_interpretation": described.PhotometricInterpretation,
        "samples_per_pixel": described.SamplesPerPixel,
        "bits_allocated": 1,
        "bits_stored": 1,
        "pixel_representation": 0,
    }
    for index in range(int(described.get("NumberOfFrames", 1))):
        byte, bit = divmod(index * rows * columns, 8)
        described.PixelData.seek(byte)
        held = np.frombuffer(described.PixelData.read((bit + rows * columns + 7) // 8), np.uint8)
        bits = np.unpackbits(held, bitorder="little")[bit : bit + rows * columns]
        yield bits.reshape(rows, columns), meta


def _described(dataset: Dataset, transfer_syntax: UID, located: Located) -> Dataset:
    """The pixel element and what describes it, with the bytes behind it read as asked for."""
    described = Dataset()
    described.file_meta = FileMetaDataset()
    described.file_meta.TransferSyntaxUID = transfer_syntax
    for keyword in _DESCRIBED_BY:
        value = dataset.get(keyword)
        if value is not None and value != "":
            setattr(described, keyword, value)
    element = pixel_element(dataset)
    for tag in EXTENDED_OFFSETS:
        if offsets := dataset.get(tag):
            described.add_new(tag, "OV", b"".join(read_segments(located(offsets.value))))
    reader = io.BufferedReader(SegmentReader(located(element.value)))
    described.add_new(element.tag, element.VR, reader)
    described[element.tag].is_undefined_length = is_encapsulated(transfer_syntax)
    described.set_original_encoding(
        transfer_syntax.is_implicit_VR, transfer_syntax.is_little_endian
    )
    return described
