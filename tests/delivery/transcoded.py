"""Objects transcoded in this process, and what others make of them: DCMTK, GDCM, dciodvfy."""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from router.dataset import FileRange, encode_file_meta, open_part10, read_segments
from router.delivery.transcoding import Transcoding
from router.spool import DeliveryTask
from router.spool.records import CopyOutcome

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_LS, NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K, J2K_LOSSY = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
LOSSLESS = (RLE, JPEG_LS, J2K)

_DCMTK = {
    RLE: ["dcmdrle"],
    BIG_ENDIAN: ["dcmconv", "+te"],
    IMPLICIT: ["dcmconv", "+te"],
    **dict.fromkeys((JPEG_LS, NEAR), ["dcmdjpls"]),
    **{f"1.2.840.10008.1.2.4.{last}": ["dcmdjpeg", "+cn"] for last in (50, 51, 57, 70)},
}


def task_of(path: Path) -> DeliveryTask:
    part10 = open_part10(path)
    return DeliveryTask(
        delivery_id=1, instance_id=1, destination="pacs", route="r",
        segments=(FileRange(str(path), part10.dataset_offset, part10.length),),
        size=part10.length, bulk=None, problem=None, transfer_syntax=part10.transfer_syntax,
        sop_class_uid=part10.sop_class_uid, sop_instance_uid=part10.sop_instance_uid,
        study_instance_uid="1.2.3", series_instance_uid="1.2.3.1", association=None,
        received=None, first_queued=None, attempts=0, refusals=0, move_originator=None,
    )  # fmt: skip


def transcode(path: Path, workspace: Path, *targets: str) -> CopyOutcome:
    return Transcoding(targets)(task_of(path), workspace, lambda seconds: None)


def written(outcome: CopyOutcome, path: Path) -> Path:
    """The outcome as a file."""
    meta = encode_file_meta(
        outcome.sop_class_uid, outcome.sop_instance_uid, outcome.transfer_syntax
    )
    path.write_bytes(b"".join([meta, *read_segments(outcome.segments)]))
    return path


def independent_pixels(path: Path, scratch: Path) -> list | None:
    """The frames as somebody else decodes them, by the bits that are stored; None: nobody can."""
    dataset = pydicom.dcmread(path)
    transfer_syntax = dataset.file_meta.TransferSyntaxUID
    if transfer_syntax in (J2K, J2K_LOSSY):
        decoder = get_decoder(transfer_syntax)  # GDCM: a build of OpenJPEG of its own
        try:
            decoded = decoder.iter_array(dataset, raw=True, decoding_plugin="gdcm")
            frames = [frame for frame, _ in decoded]
        except (RuntimeError, ValueError):
            return None
    elif transfer_syntax in _DCMTK or transfer_syntax == EXPLICIT:
        if transfer_syntax != EXPLICIT:
            made = scratch / "decoded"
            command = [*_DCMTK[transfer_syntax], path, made]
            if subprocess.run(command, capture_output=True).returncode:
                return None
            dataset = pydicom.dcmread(made)
        decoder = get_decoder(EXPLICIT)
        frames = [frame for frame, _ in decoder.iter_array(dataset, raw=True, validate=False)]
    else:
        return None
    stored = dataset.get("BitsStored") or 64
    if stored >= 32:
        return frames
    mask = (1 << stored) - 1  # decoders differ in what they leave in the bits above
    return [frame.astype(np.int64) & mask for frame in frames]


def complaints(path: Path) -> Counter:
    """The errors that dciodvfy finds in the data set."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    about_file = ("0x0002,", "MediaStorage")
    return Counter(
        line
        for line in lines
        if line.startswith("Error") and not any(words in line for words in about_file)
    )


def other_elements(path: Path, scratch: Path) -> dict[int, object]:
    """All values but pixels, what describes their encoding, and group lengths."""
    dataset = pydicom.dcmread(path)
    if dataset.file_meta.TransferSyntaxUID == BIG_ENDIAN:  # whose words pydicom does not swap
        subprocess.run(["dcmconv", "+te", path, scratch / "little"], check=True)
        dataset = pydicom.dcmread(scratch / "little")
    about_encoding = (0x00280004, 0x00280006, 0x7FE00001, 0x7FE00002, 0x7FE00010)
    return {
        int(element.tag): element.value
        for element in dataset
        if element.tag.element and element.tag not in about_encoding
    }


def streams(path: Path) -> list[bytes]:
    dataset = pydicom.dcmread(path)
    return list(generate_frames(dataset.PixelData, number_of_frames=dataset.get("NumberOfFrames")))


def name_of(transfer_syntax: str) -> str:
    return UID(transfer_syntax).keyword
