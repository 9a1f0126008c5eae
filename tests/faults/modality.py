"""A modality that makes instances without end and remembers which were answered Success."""

import hashlib
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from router.dataset import open_part10
from router.testing import encode
from router.wire import OutgoingAssociation, Peer, WireError, connect

NAME, OTHER_NAME = "Test^Patient", "SOMEBODY^ELSE"
AFTER_TROUBLE = 0.05  # seconds


@dataclass(frozen=True)
class Made:
    """An instance that was made, and the hash of its data set."""

    uid: str
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def renamed_sha256(self) -> str:
        """Of what a chain that sets the Patient's Name makes of it."""
        return hashlib.sha256(self.data.replace(_name(NAME), _name(OTHER_NAME))).hexdigest()


class Factory:
    """Makes CT instances of one study, with as many random bytes of pixels as wanted."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._study, self._series = generate_uid(), generate_uid()

    def make(self, pixels: int = 2048) -> Made:
        dataset = Dataset()
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = uid = generate_uid()
        dataset.Modality = "CT"
        dataset.PatientName, dataset.PatientID = NAME, "T-1"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self._study, self._series
        dataset.Rows, dataset.Columns = 1, min(pixels // 2, 65535)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = self._random.randbytes(pixels)
        dataset["PixelData"].VR = "OW"
        return Made(uid, encode(dataset, ExplicitVRLittleEndian))


class Sender:
    """Makes and sends instances one by one; `made` has all of them, by SOP Instance UID."""

    def __init__(self, port: int, seed: int = 0, pixels: int = 2048) -> None:
        self.port = port
        self.made: dict[str, Made] = {}
        self.acknowledged: set[str] = set()
        self._pixels = pixels
        self._factory = Factory(seed)

    def next(self) -> Made:
        instance = self._factory.make(self._pixels)
        self.made[instance.uid] = instance
        return instance

    def send(self, count: int) -> list[int]:
        """The statuses that so many new instances were answered with, on one association."""
        association = associate(self.port)
        statuses = []
        for _ in range(count):
            instance = self.next()
            statuses.append(store(association, instance))
            if statuses[-1] == 0:
                self.acknowledged.add(instance.uid)
        association.release()
        return statuses


class Modality(threading.Thread, Sender):
    """Sends new instances until it is told to stop; what is not answered Success, again.

    While it is `deaf` no answer counts: it is sent again, as after any lost association.
    """

    def __init__(self, port: int, seed: int, pixels: int = 2048) -> None:
        threading.Thread.__init__(self, daemon=True)
        Sender.__init__(self, port, seed, pixels)
        self.deaf = False
        self._stopping = threading.Event()

    def run(self) -> None:
        instance = self.next()
        while not self._stopping.is_set():
            try:
                association = associate(self.port)
            except WireError:
                self._stopping.wait(AFTER_TROUBLE)
                continue
            try:
                while not self._stopping.is_set():
                    if store(association, instance) or self.deaf:
                        self._stopping.wait(AFTER_TROUBLE)
                    else:
                        self.acknowledged.add(instance.uid)
                        instance = self.next()
            except WireError:
                self._stopping.wait(AFTER_TROUBLE)
            finally:
                association.abort()

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)
        assert not self.is_alive()

    def close(self) -> None:
        self._stopping.set()


def associate(port: int) -> OutgoingAssociation:
    peer = Peer("127.0.0.1", port, "ROUTER", "CT1")
    return connect(peer, [(CTImageStorage, [ExplicitVRLittleEndian])])


def store(association: OutgoingAssociation, instance: Made) -> int:
    """The status it was answered with."""
    context = association.context_for(CTImageStorage, ExplicitVRLittleEndian)
    return association.store(context, CTImageStorage, instance.uid, [instance.data]).status


def found(files: list[Path]) -> dict[str, str]:
    """SOP Instance UID and hash of the data set of each; AssertionError when one is torn."""
    hashes = {}
    for path in files:
        part10 = open_part10(path)
        content = path.read_bytes()[part10.dataset_offset :]
        hashes[part10.sop_instance_uid] = hashlib.sha256(content).hexdigest()
    return hashes


def _name(value: str) -> bytes:
    """The element Patient's Name in Explicit VR Little Endian."""
    padded = value.encode() + b" " * (len(value) % 2)
    return b"\x10\x00\x10\x00PN" + len(padded).to_bytes(2, "little") + padded
