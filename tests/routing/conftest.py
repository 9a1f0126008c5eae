"""A spool with a processor whose workers run real plugins."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from router.routing import Processor, WorkerPool
from router.routing.spec import route_specs
from router.spool import Arrival, PlannedCopy, Spool, Stored
from tests.routing.helpers import (
    EXPLICIT,
    RECEIVED,
    association,
    dataset,
    encode,
    read_config,
    scan_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.config import Config
    from router.spool.reports import CopyTrail


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
        self.specs = route_specs(config)
        self.pool = WorkerPool(
            workers, self.spool.directory / "plugins", self.spool.directory / "workspace", memory
        )
        self.processor = Processor(self.spool.ledger, self.pool, self.specs.get)
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
            sha256=None,
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


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Spool(tmp_path / "spool") as spool:
        made = Router(tmp_path, spool)
        try:
            yield made
        finally:
            made.stop()
