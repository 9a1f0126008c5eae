"""Data sets, associations and configurations for the tests of routing and of the plugins."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from router.config import load
from router.dataset import Scanner
from router.instance import Association
from router.routing import Processor, WorkerPool, check_chains, check_plugin, known_plugins
from router.routing.spec import worker_specs
from router.spool import Arrival, PlannedCopy, Spool, Stored
from router.testing import encode

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Config
    from router.dataset import Scan
    from router.spool.reports import CopyTrail

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


class Router:
    """What is between an accepted instance and its deliveries."""

    def __init__(self, folder: Path, spool: Spool) -> None:
        self.folder = folder
        self.spool = spool
        self.processor: Processor | None = None
        self._number = 0

    def plugin(self, body: str) -> None:
        """Write `plugin.py` with a class `Plugin` of this body."""
        header = "import ctypes, os, re, time\nfrom router import *\n\nclass Plugin:\n"
        (self.folder / "plugin.py").write_text(header + textwrap.indent(body, "    "))

    def start(self, routes: str, workers: int = 1, memory: int | None = None) -> Config:
        config = read_config(self.folder, routes)
        self.specs, _ = worker_specs(config)
        self.pool = WorkerPool(
            workers, self.spool.directory / "plugins", self.spool.directory / "workspace", memory
        )
        self.processor = Processor(
            self.spool.ledger, self.pool, lambda task: self.specs.get(task.route)
        )
        self.processor.start()
        return config

    def accept(self, route: str = "r", **elements: object) -> str:
        """Accept an instance for a route with a chain; its SOP Instance UID."""
        self._number += 1
        uid = f"1.2.3.4.{self._number}"
        made = dataset(SOPInstanceUID=uid, PatientName="Secret^Patient", **elements)
        content = encode(made)
        file = self.spool.incoming()
        file.write([content])
        file.sync()
        file.close()
        stored = Stored(str(file.path), 0, len(content), scan_of(made).bulk)
        arrival = Arrival(
            stored=stored,
            transfer_syntax=EXPLICIT,
            sop_class_uid=made.SOPClassUID,
            sop_instance_uid=uid,
            study_instance_uid=made.StudyInstanceUID,
            series_instance_uid=made.SeriesInstanceUID,
            patient_id="",
            accession_number="",
            digest=None,
            association=association(),
            received=RECEIVED,
            generation=1,
            copies=(PlannedCopy(route, ("pacs",), True),),
        )
        self.spool.ledger.accept(arrival).result()
        return uid

    def copy(self, uid: str) -> CopyTrail:
        (instance,) = self.spool.ledger.where(uid).instances
        (copy,) = instance.copies
        return copy

    def stop(self) -> None:
        if self.processor:
            self.processor.stop(10)
