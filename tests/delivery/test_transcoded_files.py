"""Every file in every form: the same pixels for DCMTK and GDCM, and nothing else changed."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from router.spool.records import HeldCopy
from tests.conftest import REPOSITORY, require

from .transcoded import (
    EXPLICIT,
    IMPLICIT,
    J2K,
    JPEG_LS,
    LOSSLESS,
    RLE,
    complaints,
    independent_pixels,
    open_part10,
    other_elements,
    transcode,
    written,
)

DATA = REPOSITORY.parent / "shared" / "data"
LARGE = 700_000  # bytes of pixels, above which a file is compressed by `make soak` only
# By GDCM as well as pydicom: single bits in RLE, a new transfer syntax, an object that is cut off.
NOT_DECODED = {
    *("liver_rle.dcm", "liver_nonbyte_aligned_rle.dcm"),
    *("liver_deflate.dcm", "liver_nonbyte_aligned_deflate.dcm"),
    "emri_small_jpeg_2k_lossless_too_short.dcm",
}
# What a transfer syntax has no place for (PS3.5 8.2), and a file that says 12 bits and has 13.
NOT_HELD = {
    "single bits": "liver",
    "floating point": "parametric_map",
    "32 of 32 bits": "32bit",
    "more bits than are stored": "mlut_18",
}


def dicom_files() -> list[Path]:
    files = sorted(path for name in ("wg04", "pydicom_data") for path in (DATA / name).rglob("*"))
    return [path for path in files if path.is_file() and is_readable(path)]


def is_readable(path: Path) -> bool:
    try:
        open_part10(path)
    except ValueError:
        return False
    return path.name not in NOT_DECODED


def is_large(path: Path) -> bool:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    samples = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    return samples * int(dataset.get("NumberOfFrames", 1)) * dataset.BitsAllocated // 8 > LARGE


@pytest.fixture(autouse=True)
def tools(data, dcmtk):
    require(shutil.which("dciodvfy") is not None, "dciodvfy is not installed (dicom3tools)")


FILES = [pytest.param(path, id=path.name) for path in dicom_files()]
AMOUNTS = [
    pytest.param(path, id=path.name, marks=pytest.mark.soak if is_large(path) else ())
    for path in dicom_files()
]
# pydicom's, about values in real files
pytestmark = pytest.mark.filterwarnings("ignore")


def assert_the_same(came: Path, left: Path, scratch: Path) -> None:
    before, after = independent_pixels(came, scratch), independent_pixels(left, scratch)
    if before is not None and after is not None:
        assert len(before) == len(after)
        assert all(np.array_equal(*frames) for frames in zip(before, after, strict=True))
    assert complaints(left) <= complaints(came)
    assert other_elements(left, scratch) == other_elements(came, scratch)


@pytest.mark.parametrize("path", FILES)
def test_uncompressed(path, tmp_path):
    outcome = transcode(path, tmp_path / "workspace", EXPLICIT)
    if outcome.segments is None:
        return  # as it came
    left = written(outcome, tmp_path / "left")
    assert pydicom.dcmread(left).file_meta.TransferSyntaxUID == EXPLICIT
    assert_the_same(path, left, tmp_path)


@pytest.mark.parametrize("path", AMOUNTS)
@pytest.mark.parametrize("target", [RLE, JPEG_LS, J2K], ids=["RLE", "JPEG-LS", "JPEG 2000"])
def test_compressed_without_loss(path, target, tmp_path):
    outcome = transcode(path, tmp_path / "workspace", target)
    if isinstance(outcome, HeldCopy):
        [reason] = [why for why in NOT_HELD if why in outcome.reason]
        assert NOT_HELD[reason] in path.name
        assert list((tmp_path / "workspace").iterdir()) == []
    elif outcome.segments is not None:
        assert_the_same(path, written(outcome, tmp_path / "left"), tmp_path)


@pytest.mark.parametrize("name", ["emri_small_jpeg_ls_lossless.dcm", "gdcm-US-ALOKA-16_big.dcm"])
def test_and_back_again_is_byte_for_byte_the_same(data, name, tmp_path):
    first = written(
        transcode(data / "pydicom_data" / name, tmp_path / "a", EXPLICIT), tmp_path / "first"
    )
    for target in (*LOSSLESS, IMPLICIT):
        there = written(transcode(first, tmp_path / "b", target), tmp_path / "there")
        back = written(transcode(there, tmp_path / "c", EXPLICIT), tmp_path / "back")
        assert pydicom.dcmread(back).PixelData == pydicom.dcmread(first).PixelData
