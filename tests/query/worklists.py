"""DCMTK's worklist provider with files that tests write for it."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.story.peers import until

from .peers import echoes


def scheduled(study: str, step: str, station: dict | None = None, **values) -> Dataset:
    """A worklist item with all that a provider wants to have; `station` is of its step."""
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 100"
    item.StudyInstanceUID = study
    item.PatientName, item.PatientID = "Müller^Jürgen", "W-1"
    item.PatientBirthDate, item.PatientSex = "19700102", "M"
    item.AccessionNumber, item.RequestedProcedureID = "A-1", "R-1"
    item.ReferringPhysicianName = item.RequestingPhysician = "Referrer"
    item.RequestedProcedureDescription = "Head"
    for keyword, value in values.items():
        setattr(item, keyword, value)
    part = Dataset()
    part.ScheduledProcedureStepID = step
    part.Modality, part.ScheduledStationAETitle = "CT", "CT1"
    part.ScheduledStationName = "Room 1"
    part.ScheduledProcedureStepStartDate, part.ScheduledProcedureStepStartTime = "20240105", "0930"
    part.ScheduledPerformingPhysicianName = "Performer"
    part.ScheduledProcedureStepDescription = "Head native"
    for keyword, value in (station or {}).items():
        setattr(part, keyword, value)
    item.ScheduledProcedureStepSequence = [part]
    return item


@dataclass
class Wlmscpfs:
    """DCMTK's wlmscpfs, in the character set of its files."""

    directory: Path
    port: int
    ae_title: str
    items: list[Dataset] = field(default_factory=list)
    process: subprocess.Popen | None = None

    def start(self) -> "Wlmscpfs":
        folder = self.directory / self.ae_title
        folder.mkdir(parents=True)
        (folder / "lockfile").touch()
        for number, item in enumerate(self.items):
            item.file_meta = FileMetaDataset()
            item.file_meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
            item.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            item.save_as(folder / f"{number}.wl", enforce_file_format=True)
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["wlmscpfs", "-v", "-csk", "-dfp", str(self.directory), str(self.port)],
                stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"},
            )  # fmt: skip
        until(
            lambda: echoes(self.ae_title, self.port),
            f"wlmscpfs does not listen on {self.port}",
        )
        return self

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
