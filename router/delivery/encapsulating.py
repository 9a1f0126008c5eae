"""Frames compressed, and put into fragments as a data set has them (PS3.5 A.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder

from router.dataset.derived import record_loss
from router.dataset.encoding import EXPLICIT_LITTLE, ITEM, PIXEL_DATA, SEQUENCE_DELIMITATION
from router.dataset.pixels import PixelError, describe, pixel_element, read_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pydicom.uid import UID

    from router.dataset.pixels import Frames

_RLE = "1.2.840.10008.1.2.5"
_JPEG_LS, _JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
_JPEG_2000_LOSSLESS, _JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
_LONGEST_OFFSET = 0xFFFFFFFF


class Unfit(PixelError):
    """The transfer syntax has no place for these pixels; another may have."""


@dataclass(frozen=True)
class _Loss:
    """How much is lost, as the encoder is told and as the data set says."""

    method: str
    description: str
    options: Mapping[str, Any]
    error: int = 0  # of a stored value, at most, where that is bounded


_LOSSY = {
    _JPEG_LS_NEAR: _Loss(
        "ISO_14495_1", "JPEG-LS near-lossless, values off by 2 at most", {"jls_error": 2}, 2
    ),
    _JPEG_2000: _Loss("ISO_15444_1", "JPEG 2000 lossy at 10:1", {"j2k_cr": [10.0]}),
}
_ENCODED_BY = {
    _RLE: "pylibjpeg",
    **dict.fromkeys((_JPEG_LS, _JPEG_LS_NEAR), "pyjpegls"),
    **dict.fromkeys((_JPEG_2000_LOSSLESS, _JPEG_2000), "pylibjpeg"),
}


def write_encapsulated(dataset: Dataset, frames: Frames, target: UID, file: IO[bytes]) -> int:
    """Write each frame in a fragment of its own, after a table of their offsets; where in the
    file the value begins.

    The data set is made to describe what was written, but for the pixel element's value. Raises
    Unfit where the transfer syntax cannot hold the frames exactly, or, asked for loss, at all.
    """
    element = pixel_element(dataset)
    if element.tag != PIXEL_DATA:
        raise Unfit("its pixels are floating point numbers")
    encoder = _Encoder(dataset, target)
    first = 8 + 4 * int(dataset.get("NumberOfFrames") or 1)
    file.seek(first)
    offsets, lengths, before = [], [], 0
    meta: dict[str, Any] = {}
    for frame, meta in frames:  # noqa: B007
        stream = encoder.encode(frame, meta)
        stream += b"\0" * (len(stream) % 2)
        offsets.append(file.tell() - first)
        lengths.append(len(stream))
        before += frame.nbytes
        file.write(EXPLICIT_LITTLE.header(ITEM, "", len(stream)) + stream)
    file.write(EXPLICIT_LITTLE.header(SEQUENCE_DELIMITATION, "", 0))
    describe(dataset, meta)
    dataset.PhotometricInterpretation = encoder.photometric(meta)
    element.VR, element.is_undefined_length = "OB", True
    if target in _LOSSY:
        loss = _LOSSY[target]
        record_loss(dataset, loss.method, before / sum(lengths), loss.description)
    return _write_table(dataset, file, first, offsets, lengths)


def _write_table(
    dataset: Dataset, file: IO[bytes], first: int, offsets: list[int], lengths: list[int]
) -> int:
    end = file.tell()
    if offsets[-1] <= _LONGEST_OFFSET:
        start, table = 0, struct.pack(f"<{len(offsets)}L", *offsets)
    else:  # PS3.3 C.7.6.3.1.8: an empty table, and the offsets in elements of their own
        start, table = first - 8, b""
        dataset.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
        dataset.ExtendedOffsetTableLengths = struct.pack(f"<{len(lengths)}Q", *lengths)
    file.seek(start)
    file.write(EXPLICIT_LITTLE.header(ITEM, "", len(table)) + table)
    file.seek(end)
    return start


class _Encoder:
    """Compresses the frames of one data set."""

    def __init__(self, dataset: Dataset, target: UID) -> None:
        self._dataset, self._target = dataset, target
        self._loss = _LOSSY.get(target)
        self._encoder = get_encoder(target)

    def photometric(self, meta: Mapping[str, Any]) -> str:
        """What decoded frames are, once they are encoded (PS3.5 8.2.4 for JPEG 2000)."""
        decoded = str(meta["photometric_interpretation"])
        if decoded != "RGB":
            return decoded
        return {_JPEG_2000_LOSSLESS: "YBR_RCT", _JPEG_2000: "YBR_ICT"}.get(self._target, "RGB")

    def encode(self, frame: NDArray[Any], meta: Mapping[str, Any]) -> bytes:
        """The stream of one frame, which has been decoded again and is the same if it should be."""
        description = {
            "rows": frame.shape[0],
            "columns": frame.shape[1],
            "samples_per_pixel": int(meta["samples_per_pixel"]),
            "photometric_interpretation": self.photometric(meta),
            "bits_allocated": int(meta["bits_allocated"]),
            "bits_stored": int(meta["bits_stored"]),
            "pixel_representation": int(meta["pixel_representation"]),
            "planar_configuration": 0,
            "number_of_frames": 1,
        }
        if self._dataset.BitsAllocated == 1:
            raise Unfit("its pixels are single bits")
        if self._target != _RLE:
            frame = _with_sign(frame, description)
        prepared = self._prepared(frame, description)
        try:
            stream = bytes(
                self._encoder.encode(
                    prepared,
                    encoding_plugin=_ENCODED_BY[self._target],
                    **description,
                    **(self._loss.options if self._loss else {}),
                )
            )
        except Exception:  # of pydicom's check of PS3.5 8.2, and of what the codec cannot do
            raise Unfit(
                f"it has no place for {description['photometric_interpretation']} pixels with "
                f"{description['bits_stored']} of {description['bits_allocated']} bits"
            ) from None
        if not self._loss and not np.array_equal(self._decoded(stream, meta), frame):
            raise Unfit("its pixels would not be the same afterwards")
        return stream

    def _prepared(self, frame: NDArray[Any], description: dict[str, Any]) -> NDArray[Any]:
        """The frame as its encoder has to be given it, with `description` corrected."""
        if self._target == _RLE:  # keeps every byte, whatever is in them
            description["bits_stored"] = description["bits_allocated"]
            return frame
        bits, signed = description["bits_stored"], description["pixel_representation"]
        margin = self._loss.error if self._loss and signed else 0
        lowest = -(1 << bits - 1) if signed else 0
        if frame.min() < lowest + margin or frame.max() > lowest + (1 << bits) - 1 - margin:
            raise Unfit("it has values of more bits than are stored")
        if signed and self._target in (_JPEG_LS, _JPEG_LS_NEAR):
            # JPEG-LS knows no signs: what is above the stored bits must not confuse it.
            description["pixel_representation"] = 0
            unsigned: NDArray[Any] = frame.view(frame.dtype.str.replace("i", "u"))
            masked: NDArray[Any] = unsigned & np.array((1 << bits) - 1, unsigned.dtype)
            return masked
        return frame

    def _decoded(self, stream: bytes, meta: Mapping[str, Any]) -> NDArray[Any]:
        single = Dataset()
        for keyword in ("Rows", "Columns", "BitsStored", "HighBit", "PixelRepresentation"):
            setattr(single, keyword, self._dataset.get(keyword))
        single.SamplesPerPixel = meta["samples_per_pixel"]
        single.PhotometricInterpretation = self.photometric(meta)
        single.PlanarConfiguration = 0
        single.BitsAllocated = meta["bits_allocated"]
        single.add_new(PIXEL_DATA, "OB", encapsulate([stream]))
        [(frame, _)] = read_frames(single, self._target, lambda value: [value])
        return frame


def _with_sign(frame: NDArray[Any], description: Mapping[str, Any]) -> NDArray[Any]:
    """Signed values whose sign is not extended to the bits allocated, as codecs want it to be."""
    bits = description["bits_stored"]
    above = frame.dtype.itemsize * 8 - bits
    if frame.dtype.kind != "i" or not above or frame.min() < 0 or frame.max() >= 1 << bits:
        return frame
    extended: NDArray[Any] = (frame << above) >> above
    return extended
