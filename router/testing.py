"""For tests of plugins: instances as a chain gives them to hooks, made of pydicom data sets."""

from __future__ import annotations

from datetime import UTC, datetime
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from router.dataset import FileRange, Scanner
from router.instance import Association, Instance, Source

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

_RECEIVED = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)


def make_instance(
    dataset: Dataset,
    directory: Path,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    route: str = "test",
    calling_ae_title: str = "MODALITY",
    peer: str | None = None,
) -> Instance:
    """An instance with these elements, as it arrives; its files are made in `directory`.

    `pydicom.dcmread(instance.open())` reads it as it leaves.
    """
    content = encode(dataset, transfer_syntax)
    own = directory / mkdtemp(prefix="instance", dir=directory)
    (own / "received").write_bytes(content)
    scanner = Scanner(transfer_syntax)
    scanner.feed(content)
    received = FileRange(str(own / "received"), 0, len(content))
    return Instance(
        Source((received,), scanner.finish()),
        association=Association(
            calling_ae_title=calling_ae_title,
            called_ae_title="ROUTER",
            address="127.0.0.1",
            listener="test",
            peer=peer,
            tls_subject=None,
            user=None,
            started=_RECEIVED,
        ),
        route=route,
        received=_RECEIVED,
        workspace=own / "workspace",
    )


def encode(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set's bytes, without the file meta information of a file."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == "1.2.840.10008.1.2"
    buffer.is_little_endian = transfer_syntax != "1.2.840.10008.1.2.2"
    write_dataset(buffer, dataset, dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    return buffer.getvalue()
