"""Generated instances, and a sender that remembers what was answered with Success."""

import hashlib
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from router.dataset import FileRange, open_part10
from router.wire import OutgoingAssociation, Peer, WireError, connect


def generate(directory: Path, count: int, pixels: int = 2048, **values) -> list[Path]:
    """CT instances of one study with random pixels of that many bytes; `values` by keyword."""
    directory.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(), generate_uid()
    paths = []
    for number in range(count):
        dataset = Dataset()
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.Modality = "CT"
        dataset.PatientName, dataset.PatientID = "Test^Patient", "T-1"
        dataset.InstanceNumber = number + 1
        dataset.Columns = min(pixels // 2, 1024)
        dataset.Rows = pixels // 2 // dataset.Columns
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.PixelData = random.randbytes(pixels)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = directory / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def content(path: Path) -> tuple[str, str]:
    """SOP Instance UID and hash of the data set's bytes."""
    part10 = open_part10(path)
    with path.open("rb") as file:
        file.seek(part10.dataset_offset)
        return part10.sop_instance_uid, hashlib.sha256(file.read()).hexdigest()


@dataclass
class Sender(threading.Thread):
    """Sends its files to a port, one association as long as it lasts, and on trouble begins anew.

    `acknowledged` is what was answered with Success; `port` may change when the router restarts.
    """

    files: list[Path]
    port: int
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        waiting = list(self.files)
        while waiting and not self.stopping.is_set():
            try:
                self._send(waiting)
            except WireError:
                self.stopping.wait(0.05)

    def _send(self, waiting: list[Path]) -> None:
        peer = Peer("127.0.0.1", self.port, "ROUTER", "CT1")
        association = connect(peer, [(CTImageStorage, [ExplicitVRLittleEndian])])
        try:
            while waiting and not self.stopping.is_set():
                if store(association, waiting[0]) == 0:
                    self.acknowledged.add(content(waiting[0]))
                    waiting.pop(0)
        finally:
            association.abort()


def store(association: OutgoingAssociation, path: Path) -> int:
    part10 = open_part10(path)
    context = association.context_for(part10.sop_class_uid, part10.transfer_syntax)
    data = FileRange(str(path), part10.dataset_offset, part10.length)
    uids = part10.sop_class_uid, part10.sop_instance_uid
    return association.store(context, *uids, [data]).status
