"""What was accepted and is not done: its files, and the durable ledger of what becomes of it."""

from router.spool.digest import Digest, new_digest
from router.spool.errors import SpoolError, SpoolFailed, SpoolFull, SpoolLocked, SyncFailed
from router.spool.files import IncomingFile
from router.spool.ledger import Ledger
from router.spool.records import (
    Arrival,
    Attempt,
    AttemptOutcome,
    CopyOutcome,
    CopyTask,
    DeliveryTask,
    HeldCopy,
    IntakeRefusal,
    PlannedCopy,
    Processed,
    ReleasedInstance,
    Selection,
    Skipped,
    StandIn,
    Stored,
    WaitingStudy,
)
from router.spool.retained import DoneCopy, Retained, RetainedInstances
from router.spool.retrieves import Asked, Expected, Retrieve, RetrieveState, Which
from router.spool.sources import as_sender
from router.spool.spool import Spool
from router.spool.study_records import StudyCopy, StudyOutcome, StudyTask

__all__ = [
    "Arrival",
    "Asked",
    "Attempt",
    "AttemptOutcome",
    "CopyOutcome",
    "CopyTask",
    "DeliveryTask",
    "Expected",
    "DoneCopy",
    "Digest",
    "HeldCopy",
    "IncomingFile",
    "IntakeRefusal",
    "Ledger",
    "PlannedCopy",
    "Processed",
    "ReleasedInstance",
    "Retrieve",
    "RetrieveState",
    "Retained",
    "RetainedInstances",
    "Selection",
    "Skipped",
    "Spool",
    "SpoolError",
    "SpoolFailed",
    "SpoolFull",
    "SpoolLocked",
    "StandIn",
    "Stored",
    "StudyCopy",
    "StudyOutcome",
    "StudyTask",
    "SyncFailed",
    "WaitingStudy",
    "Which",
    "as_sender",
    "new_digest",
]
