"""What was accepted and is not done: its files, and the durable ledger of what becomes of it."""

from router.spool.digest import Digest, new_digest
from router.spool.errors import SpoolError, SpoolFailed, SpoolFull, SpoolLocked, SyncFailed
from router.spool.incoming import IncomingFile
from router.spool.index import LocalIndex
from router.spool.index_entry import Entry, entry_of, tags_of
from router.spool.index_keys import Narrowing, folded_name, name_groups, plain_date
from router.spool.index_reading import COMPUTED, Candidate, IndexedFile, IndexReader
from router.spool.index_rebuilding import Rebuilt, files_of, rebuild
from router.spool.index_state import IndexState, index_states
from router.spool.indexes import Indexes
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
from router.spool.transit import LARGEST as LARGEST_PASSING
from router.spool.transit import Passed

__all__ = [
    "COMPUTED",
    "Arrival",
    "Asked",
    "Attempt",
    "AttemptOutcome",
    "Candidate",
    "CopyOutcome",
    "CopyTask",
    "DeliveryTask",
    "Digest",
    "DoneCopy",
    "Entry",
    "Expected",
    "HeldCopy",
    "IncomingFile",
    "IndexReader",
    "IndexState",
    "IndexedFile",
    "Indexes",
    "IntakeRefusal",
    "Ledger",
    "LARGEST_PASSING",
    "LocalIndex",
    "Narrowing",
    "Passed",
    "PlannedCopy",
    "Processed",
    "Rebuilt",
    "ReleasedInstance",
    "Retained",
    "RetainedInstances",
    "Retrieve",
    "RetrieveState",
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
    "entry_of",
    "files_of",
    "folded_name",
    "index_states",
    "name_groups",
    "new_digest",
    "plain_date",
    "rebuild",
    "tags_of",
]
