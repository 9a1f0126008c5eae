"""Instances as a chain gives them to hooks, made of pydicom data sets."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from router.dataset import DEFLATED, FileRange, scan_inflated
from router.instance import Association, Instance, Source

if TYPE_CHECKING:
    from pathlib import Path

RECEIVED = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)


def make_dataset(**elements: object) -> Dataset:
    """A small CT image with UIDs of its own and these elements; None leaves one out."""
    made = Dataset()
    values: dict[str, object] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "Modality": "CT",
        "PatientName": "Example^Patient",
        "PatientID": "4711",
    }
    for keyword, value in (values | elements).items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def make_association(**fields: object) -> Association:
    """An association of a modality with a listener; `fields` are those that matter to the test."""
    given: dict[str, Any] = {
        "calling_ae_title": "MODALITY",
        "called_ae_title": "ROUTER",
        "address": "127.0.0.1",
        "listener": "test",
        "peer": None,
        "tls_subject": None,
        "user": None,
        "started": RECEIVED,
    }
    return Association(**(given | fields))


def make_instance(
    dataset: Dataset,
    directory: Path,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    route: str = "test",
    calling_ae_title: str = "MODALITY",
    peer: str | None = None,
    association: Association | None = None,
) -> Instance:
    """An instance with these elements, as it arrives; its files are made in `directory`.

    `pydicom.dcmread(instance.open())` reads it as it leaves.
    """
    sender = association or make_association(calling_ae_title=calling_ae_title, peer=peer)
    content = encode(dataset, transfer_syntax)
    return instance_of(content, transfer_syntax, directory, sender, route)


def instance_of(
    content: bytes, transfer_syntax: str, directory: Path, association: Association, route: str
) -> Instance:
    """The same of a data set's bytes, whatever they are."""
    own = directory / mkdtemp(prefix="instance", dir=directory)
    (own / "received").write_bytes(content)
    received = (FileRange(str(own / "received"), 0, len(content)),)
    return Instance(
        Source(*scan_inflated(received, transfer_syntax, None, own / "workspace")),
        association=association,
        route=route,
        received=RECEIVED,
        workspace=own / "workspace",
    )


def encode(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set's bytes, without the file meta information of a file."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == "1.2.840.10008.1.2"
    buffer.is_little_endian = transfer_syntax != "1.2.840.10008.1.2.2"
    write_dataset(buffer, dataset, dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    content = buffer.getvalue()
    if transfer_syntax not in DEFLATED:
        return content
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()
