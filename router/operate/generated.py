"""Generated CT studies with invented patients: something to send where there is no modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENTS = ("Ampère^Ada", "Bohr^Bo", "Curie^Cy", "Doppler^Di", "Euler^Ed", "Faraday^Fay")
_SIDE = 128  # pixels


def generate_studies(directory: Path, studies: int, slices: int) -> Iterator[Path]:
    """Write `studies` CT studies of `slices` images into `directory`; yields each file's path."""
    for number in range(studies):
        study_instance_uid, series_instance_uid = generate_uid(), generate_uid()
        for instance in range(1, slices + 1):
            dataset = _slice(number, instance, slices)
            dataset.StudyInstanceUID = study_instance_uid
            dataset.SeriesInstanceUID = series_instance_uid
            path = directory / f"study{number + 1:02}_{instance:04}.dcm"
            dataset.save_as(path, enforce_file_format=True)
            yield path


def _slice(study: int, instance: int, slices: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyDate = dataset.SeriesDate = "20260102"
    dataset.StudyTime = f"0{study % 10}1500"
    dataset.AccessionNumber = f"DEMO{study + 1:04}"
    dataset.Modality = "CT"
    dataset.Manufacturer = "dicom-router demo"
    dataset.InstitutionName = "Demo Hospital"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "CHEST RESEARCH" if study % 2 else "CHEST"
    dataset.PatientName = _PATIENTS[study % len(_PATIENTS)]
    dataset.PatientID = f"D{study + 1:05}"
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "O"
    dataset.StudyID = str(study + 1)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = instance
    dataset.SliceThickness = "1.5"
    dataset.ImagePositionPatient = [0, 0, 1.5 * instance]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [1, 1]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = _SIDE
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.PixelData = _disc(instance, slices)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _disc(instance: int, slices: int) -> bytes:
    """A sphere's slice: bright disc on dark ground, 16 bits a pixel, little endian."""
    middle, half = _SIDE / 2, slices / 2
    depth = 1 - ((instance - half) / (half + 1)) ** 2
    radius = middle * 0.9 * max(depth, 0.05) ** 0.5
    dark, bright = (100).to_bytes(2, "little"), (1100).to_bytes(2, "little")
    rows = []
    for row in range(_SIDE):
        reach = max(radius**2 - (row - middle) ** 2, 0) ** 0.5
        inside = min(int(2 * reach), _SIDE)
        margin = (_SIDE - inside) // 2
        rows.append(dark * margin + bright * inside + dark * (_SIDE - inside - margin))
    return b"".join(rows)
