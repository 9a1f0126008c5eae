"""Decoders for pydicom where its own plugins fall short of what the libraries can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gdcm
from pydicom.pixels.decoders import gdcm as with_gdcm
from pydicom.pixels.decoders import pyjpegls

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


def is_available(uid: str) -> bool:
    """Asked by pydicom about every plugin."""
    return uid in (JPEG_EXTENDED, *JPEG_LS)


def decode_jpeg_ls(source: bytes, runner: DecodeRunner) -> bytearray:
    """The pixels of one JPEG-LS stream.

    GDCM for what CharLS refuses; pydicom would ask GDCM first, and cannot then correct the sign.
    """
    try:
        return pyjpegls._decode_frame(source, runner)
    except RuntimeError:
        return bytearray(with_gdcm._decode_frame(source, runner))


def decode_jpeg_extended(source: bytes, runner: DecodeRunner) -> bytes:
    """The pixels of one JPEG stream; GDCM decodes 12 bits, but pydicom's plugin does not ask it."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    photometric = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    image.SetTransferSyntax(
        gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(runner.transfer_syntax)))
    )
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel,
            runner.bits_allocated,
            runner.bits_stored,
            runner.bits_stored - 1,
            runner.pixel_representation,
        )
    )
    image.SetDataElement(element)
    pixels: str = image.GetBuffer()  # bytes, but that SWIG takes them for text
    return pixels.encode("utf-8", "surrogateescape")
