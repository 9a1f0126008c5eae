"""Data sets, associations and configurations for the tests of routing and of the plugins."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset

from router.config import load
from router.dataset import FileRange, Scanner
from router.instance import Association, Instance, Source
from router.routing import check_chains, check_plugin, known_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Config
    from router.dataset import Scan

EXPLICIT = "1.2.840.10008.1.2.1"
RECEIVED = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
BEGIN = """
spool: {directory: ./spool}
listeners: {radiology: {ae_title: ROUTER, port: 11112, bind: 127.0.0.1}}
destinations:
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}
  vna: {ae_title: VNA, host: 127.0.0.1, port: 105}
"""


def dataset(**elements: object) -> Dataset:
    """A small CT instance with these elements besides."""
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID = "1.2.3.4"
    made.StudyInstanceUID = "1.2.3"
    made.SeriesInstanceUID = "1.2.3.1"
    made.Modality = "CT"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def encode(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    file = DicomFileLike(buffer)
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, made, made.get("SpecificCharacterSet", "ISO_IR 6"))
    return buffer.getvalue()


def scan_of(made: Dataset) -> Scan:
    scanner = Scanner(EXPLICIT)
    scanner.feed(encode(made))
    scan = scanner.finish()
    assert scan.problem is None
    return scan


def association(**fields: object) -> Association:
    given: dict[str, object] = {
        "calling_ae_title": "CT1",
        "called_ae_title": "ROUTER",
        "address": "10.1.4.7",
        "listener": "radiology",
        "peer": None,
        "tls_subject": None,
        "user": None,
        "started": RECEIVED,
    }
    return Association(**(given | fields))  # type: ignore[arg-type]


def instance(made: Dataset, folder: Path) -> Instance:
    """An instance as a route's chain gets it, its data set in a file."""
    content = encode(made)
    file = folder / "received"
    file.write_bytes(content)
    source = Source((FileRange(str(file), 0, len(content)),), scan_of(made))
    return Instance(
        source,
        association=association(),
        route="research",
        received=RECEIVED,
        workspace=folder / "workspace",
    )


def write_config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(BEGIN + text)
    return path


def read_config(folder: Path, text: str) -> Config:
    """A configuration of two destinations and this, in which nothing may be wrong."""
    config = load(
        write_config(folder, text), check_plugin=check_plugin, known_plugins=known_plugins()
    )
    assert check_chains(config) == []
    return config
