"""Corrects patient and order by the modality worklist, asked for the accession number.

plugins:
  worklist:
    use: worklist.py:Worklist
    options: {host: ris.example, port: 104, ae_title: RIS, calling_ae_title: ROUTER}
    timeout: 30 s

Technicians type names while the patient waits; the RIS knows them. An instance whose order the RIS
does not know is held, and one whose RIS does not answer is held and tried again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

from router import Hold, Instance, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the worklist is asked for and the instance is given, where the worklist has a value.
CORRECTED = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "ReferringPhysicianName", "RequestedProcedureDescription"),
)
PENDING = (0xFF00, 0xFF01)  # PS3.4 table K.4.1-2
AWAY = 60.0  # seconds until an instance is tried again when the RIS does not answer
REMEMBERED = 300.0  # seconds that an answer holds for the other images of the order


class Worklist:
    def __init__(
        self, host: str, port: int, ae_title: str, calling_ae_title: str = "ROUTER"
    ) -> None:
        self._address = host, port
        self._ae_title = ae_title
        self._ae = AE(calling_ae_title)
        self._ae.add_requested_context(ModalityWorklistInformationFind)
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = 10
        self._ae.connection_timeout = 5
        self._known: dict[str, tuple[float, Dataset]] = {}

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        accession_number = str(instance.dataset.get("AccessionNumber") or "")
        if not accession_number:
            raise Hold("it has no Accession Number to ask the worklist for")
        order = self._order(accession_number)
        for keyword in CORRECTED:
            if order.get(keyword):
                instance.dataset[keyword] = order[keyword]
        if "SpecificCharacterSet" in order:
            instance.dataset.SpecificCharacterSet = order.SpecificCharacterSet

    @hookimpl
    def verify_instance(self, instance: Instance) -> None:
        if not instance.dataset.get("PatientID"):
            raise Hold("neither the modality nor the worklist knows its Patient ID")

    def _order(self, accession_number: str) -> Dataset:
        asked, order = self._known.get(accession_number, (0.0, None))
        if order is None or time.monotonic() - asked > REMEMBERED:
            found = list(self._find(accession_number))
            patients = {
                (str(each.get("PatientID")), each.get("StudyInstanceUID")) for each in found
            }
            if len(patients) != 1:
                what = "no order" if not found else f"{len(patients)} orders"
                raise Hold(f"the worklist has {what} with its Accession Number")
            order = found[0]
            if len(self._known) >= 1000:
                self._known.clear()
            self._known[accession_number] = time.monotonic(), order
        return order

    def _find(self, accession_number: str) -> Iterator[Dataset]:
        query = Dataset()
        query.AccessionNumber = accession_number
        for keyword in CORRECTED:
            setattr(query, keyword, "")
        association = self._ae.associate(*self._address, ae_title=self._ae_title)
        if not association.is_established:
            raise Hold("the worklist cannot be reached", retry_after=AWAY)
        try:
            for status, match in association.send_c_find(query, ModalityWorklistInformationFind):
                if "Status" not in status:
                    raise Hold("the worklist stopped answering", retry_after=AWAY)
                if status.Status in PENDING and match is not None:
                    yield match
                elif status.Status != 0:
                    raise Hold(f"the worklist answered 0x{status.Status:04X}", retry_after=AWAY)
        finally:
            association.release()
