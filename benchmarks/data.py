"""The files that are sent: generated from a seed once per run, the same for everybody measured."""

import random
import shutil
from functools import cache
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

KIB = 1024
GIB = 1024**3
CT_BYTES = 512 * KIB
SMALL_BYTES = 2 * KIB
FRAME = 512 * 512 * 2
_HEADER_BYTES = 700  # of these data sets without their pixels, about


class Data:
    """Folders of files below `directory`, made when first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ct = cache(self._ct)
        self._editions = cache(self._generate_small)

    def folders(self, files: list[Path], count: int) -> list[Path]:
        """The files spread over so many folders, as links: one for each sender."""
        name = f"{files[0].parent.name}-{len(files)}-by-{count}"
        if (self._directory / name).exists():
            return sorted((self._directory / name).iterdir())
        folders = []
        for number in range(count):
            folder = self._directory / name / str(number)
            folder.mkdir(parents=True)
            for path in files[number::count]:
                (folder / path.name).hardlink_to(path)
            folders.append(folder)
        return folders

    def _ct(self) -> list[Path]:
        return self._generate("ct", 500, CT_BYTES)

    def small(self, edition: int = 0) -> list[Path]:
        """Each edition is new to a router that has received the others."""
        return self._editions(edition)

    def _generate_small(self, edition: int) -> list[Path]:
        return self._generate(f"small-{edition}", 2000, SMALL_BYTES - _HEADER_BYTES & ~1)

    def multi_frame(self, size: int = 2 * GIB) -> Path:
        """One object of that many bytes of pixels, zeros that take no space on the disk."""
        self._directory.mkdir(exist_ok=True)
        path = self._directory / "multi-frame.dcm"
        if shutil.disk_usage(self._directory).free < 3 * size:
            raise SkippedError(f"less than {3 * size // GIB} GiB free on the disk")
        dataset = _image("multi-frame", 1, b"")
        dataset.NumberOfFrames = size // FRAME
        dataset.save_as(path, enforce_file_format=True)
        whole = path.read_bytes()
        assert whole.endswith(b"OW\0\0" + bytes(4))
        with path.open("wb") as file:
            file.write(whole[:-4] + size.to_bytes(4, "little"))
            file.truncate(len(whole) + size)
        return path

    def _generate(self, name: str, count: int, pixels: int) -> list[Path]:
        folder = self._directory / name
        folder.mkdir(parents=True)
        noise = random.Random(name)
        paths = []
        for number in range(count):
            path = folder / f"{number:04d}.dcm"
            dataset = _image(name, number, noise.randbytes(pixels))
            dataset.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths


class SkippedError(Exception):
    """A part that cannot run here; the text says why."""


def _image(study: str, number: int, pixels: bytes) -> Dataset:
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(number)])
    dataset.StudyDate, dataset.StudyTime = "20240305", "143000"
    dataset.AccessionNumber = "A-1"
    dataset.Modality = "CT"
    dataset.Manufacturer = "Generated"
    dataset.StudyDescription = "BENCHMARK"
    dataset.PatientName, dataset.PatientID = "Test^Patient", "T-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[study])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[study, "series"])
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, number + 1
    dataset.ImagePositionPatient = [0, 0, number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[study, "frame of reference"])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = 512 if not pixels else max(1, len(pixels) // 1024)
    dataset.Columns = 512 if not pixels else len(pixels) // 2 // dataset.Rows
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset
