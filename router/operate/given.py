"""What is explained: an instance as it would arrive, from a file, an example or the spool."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.dataset import (
    FileRange,
    Scan,
    first,
    open_part10,
    parse_path,
    read_segments,
    scan_inflated,
    scan_segments,
)
from router.routing.making import EXPLICIT_LITTLE_ENDIAN, change_data_set, make_data_set
from router.spool import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Example

_SOP_CLASS = parse_path("SOPClassUID")
_SOP_INSTANCE = parse_path("SOPInstanceUID")
_STUDY = parse_path("StudyInstanceUID")
_SERIES = parse_path("SeriesInstanceUID")
_RAW = (EXPLICIT_LITTLE_ENDIAN, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")  # tried in this order


@dataclass(frozen=True)
class Sender:
    """Who sends it: a called AE title of None is the listener's own, a listener of None the first
    that lets it in.
    """

    calling_ae_title: str = "MODALITY"
    called_ae_title: str | None = None
    address: str = "127.0.0.1"
    listener: str | None = None


@dataclass(frozen=True)
class Given:
    """An instance on its way in: its bytes, what its C-STORE command says, and who sends it."""

    name: str
    stored: Stored
    scan: Scan
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sender: Sender
    received: datetime

    @property
    def transfer_syntax(self) -> str:
        return self.scan.transfer_syntax

    @property
    def range(self) -> FileRange:
        return FileRange(self.stored.path, self.stored.offset, self.stored.length)


def read_given(path: Path, sender: Sender) -> Given:
    """A DICOM file, or a data set without anything before it; ValueError for what is neither."""
    try:
        part10 = open_part10(path)
    except ValueError as error:
        why = str(error).removeprefix(str(path)).lstrip(": ")
        found = _raw(path)
        if found is None:
            raise ValueError(why) from None
        whole, scan = found
        return _given(str(path), whole, scan, ("", ""), sender)
    whole = FileRange(str(path.absolute()), part10.dataset_offset, part10.length)
    scan = scan_segments([whole], part10.transfer_syntax)
    uids = part10.sop_class_uid, part10.sop_instance_uid
    return _given(str(path), whole, scan, uids, sender)


def made_given(example: Example, directory: Path) -> Given:
    """An example's instance, made in `directory` where it is no file as it is.

    Raises ValueError for values that cannot be, OSError for a file that cannot be read.
    """
    settings = example.association
    sender = Sender(
        settings.calling_ae_title, settings.called_ae_title, settings.address, settings.listener
    )
    if example.file is not None and not example.header:
        return read_given(example.file, sender)
    if example.file is not None:
        given = read_given(example.file, sender)
        came = scan_inflated((given.range,), given.transfer_syntax, given.scan.bulk, directory)
        segments, scan = change_data_set(*came, example.header)
    else:
        segments = (make_data_set(example.header),)
        scan = scan_segments(segments, EXPLICIT_LITTLE_ENDIAN)
    path = directory / "made"
    with path.open("wb") as file:
        file.writelines(read_segments(segments))
    whole = FileRange(str(path), 0, scan.length)
    return _given(example.name, whole, scan, ("", ""), sender)


def _given(name: str, whole: FileRange, scan: Scan, uids: tuple[str, str], sender: Sender) -> Given:
    problem = scan.problem.reason if scan.problem else None
    return Given(
        name=name,
        stored=Stored(whole.path, whole.offset, whole.length, scan.bulk, problem),
        scan=scan,
        sop_class_uid=uids[0] or first(scan, _SOP_CLASS),
        sop_instance_uid=uids[1] or first(scan, _SOP_INSTANCE),
        study_instance_uid=first(scan, _STUDY),
        series_instance_uid=first(scan, _SERIES),
        sender=sender,
        received=datetime.now(UTC),
    )


def _raw(path: Path) -> tuple[FileRange, Scan] | None:
    """The file as a data set, if it reads as one to its end and says what it is."""
    whole = FileRange(str(path.absolute()), 0, path.stat().st_size)
    for transfer_syntax in _RAW:
        scan = scan_segments([whole], transfer_syntax)
        if scan.problem is None and first(scan, _SOP_CLASS):
            return whole, scan
    return None
