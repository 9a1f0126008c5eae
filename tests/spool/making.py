"""Arrivals, outcomes and attempts with everything filled in that a test does not care about."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from router.instance import Association
from router.spool import Arrival, Attempt, PlannedCopy, Processed, Spool, Stored

NOW = datetime(2024, 2, 29, 12, 30, 15, 123457, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
META = b"preamble and file meta"
ASSOCIATION = Association(
    calling_ae_title="CT1",
    called_ae_title="ROUTER",
    address="10.1.4.7",
    listener="radiology",
    peer="ct1",
    tls_subject=None,
    user=None,
    started=NOW,
)


def write_file(spool: Spool, content: bytes) -> str:
    """A synced file of the spool that holds `content` after its file meta."""
    file = spool.incoming()
    file.write([memoryview(META), memoryview(content)])
    file.sync()
    file.close()
    return file.path


def planned(*destinations: str, route: str = "clinical", chain: bool = False) -> PlannedCopy:
    return PlannedCopy(route, destinations, chain)


def arrival(
    spool: Spool,
    *copies: PlannedCopy,
    uid: str = "1.2.3.4.5",
    content: bytes = b"data",
    **more: Any,
) -> Arrival:
    stored = more.pop("stored", None) or Stored(write_file(spool, content), len(META), len(content))
    values: dict[str, Any] = {
        "stored": stored,
        "transfer_syntax": EXPLICIT,
        "sop_class_uid": CT_IMAGE,
        "sop_instance_uid": uid,
        "study_instance_uid": "1.2.3",
        "series_instance_uid": "1.2.3.4",
        "patient_id": "4711",
        "accession_number": "A-1",
        "digest": os.urandom(32),  # no two alike
        "association": ASSOCIATION,
        "received": NOW,
        "generation": 1,
        "copies": copies,
    }
    return Arrival(**values | more)


def accept(spool: Spool, *copies: PlannedCopy, **more: Any) -> int:
    return spool.ledger.accept(arrival(spool, *copies, **more)).result(20)


def processed(*destinations: str, uid: str | None = None, **more: Any) -> Processed:
    """What a chain made: unchanged, or changed to leave with `uid`."""
    values: dict[str, Any] = {
        "segments": None if uid is None else (b"changed",),
        "transfer_syntax": EXPLICIT,
        "sop_class_uid": CT_IMAGE,
        "sop_instance_uid": uid or "1.2.3.4.5",
        "study_instance_uid": "1.2.3",
        "series_instance_uid": "1.2.3.4",
        "destinations": destinations,
    }
    return Processed(**values | more)


def delivered(delivery_id: int) -> Attempt:
    return Attempt(delivery_id, NOW, "delivered", 0x0000)


def deliver(spool: Spool, destination: str) -> int:
    """Deliver all that is queued there; how many."""
    tasks = spool.ledger.claim(destination, 1000)
    spool.ledger.finish([delivered(task.delivery_id) for task in tasks]).result(20)
    return len(tasks)


def finish_copies(spool: Spool, **outcomes: Any) -> None:
    """Claim every copy and finish those of the routes named."""
    for task in spool.ledger.claim_copies(1000):
        if task.route in outcomes:
            spool.ledger.finish_copy(task.copy_id, outcomes[task.route]).result(20)
        else:
            spool.ledger.release_copy_claims([task.copy_id])


def deliveries(spool: Spool, uid: str = "1.2.3.4.5") -> list[tuple[str, str, str]]:
    """(destination, route, state) of every delivery of the instance, in the order made."""
    (instance,) = spool.ledger.where(uid).instances
    return [(one.destination, one.route, one.state) for one in instance.deliveries]
