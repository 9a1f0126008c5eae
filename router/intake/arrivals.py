"""An instance that has arrived, as the ledger is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset import first, parse_path
from router.spool import Arrival, Stored, Which

if TYPE_CHECKING:
    from datetime import datetime

    from router.instance import Association
    from router.intake.receiver import Received
    from router.spool import PlannedCopy

_STUDY = parse_path("StudyInstanceUID")
_SERIES = parse_path("SeriesInstanceUID")
_PATIENT_ID = parse_path("PatientID")
_ACCESSION_NUMBER = parse_path("AccessionNumber")


def which(received: Received) -> Which:
    """The instance by what a retrieve may have asked for."""
    scan = received.scan
    return Which(
        received.request.sop_instance_uid,
        first(scan, _SERIES),
        first(scan, _STUDY),
        first(scan, _PATIENT_ID),
    )


def identifiers(received: Received) -> tuple[str, str, str]:
    """Study Instance UID, Patient ID and Accession Number."""
    scan = received.scan
    return first(scan, _STUDY), first(scan, _PATIENT_ID), first(scan, _ACCESSION_NUMBER)


def make_arrival(
    received: Received,
    association: Association,
    copies: tuple[PlannedCopy, ...],
    now: datetime,
    *,
    generation: int,
    digest: bytes | None,
    held: str | None,
    pending: bool,
) -> Arrival:
    """All that is kept of it; see `Arrival`."""
    request, scan = received.request, received.scan
    return Arrival(
        stored=Stored(
            received.file.path, received.offset, received.length, scan.bulk,
            scan.problem.reason if scan.problem else None,
        ),
        transfer_syntax=request.transfer_syntax,
        sop_class_uid=request.sop_class_uid,
        sop_instance_uid=request.sop_instance_uid,
        study_instance_uid=first(scan, _STUDY),
        series_instance_uid=first(scan, _SERIES),
        patient_id=first(scan, _PATIENT_ID),
        accession_number=first(scan, _ACCESSION_NUMBER),
        digest=digest,
        association=association,
        received=now,
        generation=generation,
        copies=copies,
        held_reason=held,
        pending=pending,
        move_originator=request.move_originator,
    )  # fmt: skip
