"""Rows become tasks: everything a worker or a sender needs to know, in one query by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.dataset import FileRange
from router.instance import Association
from router.spool.codec import Paths, decode_bulk, decode_names, from_microseconds
from router.spool.records import Arrival, CopyTask, DeliveryTask, ReleasedInstance, Stored
from router.spool.schema import fetch

if TYPE_CHECKING:
    import apsw

    from router.spool.schema import Row

ASSOCIATION = (
    "a.calling_ae_title, a.called_ae_title, a.address, a.listener, a.peer, a.tls_subject, a.user,"
    " a.started"
)
_INSTANCE = (
    f"{ASSOCIATION}, i.path, i.offset, i.length, i.bulk, i.problem, i.transfer_syntax,"
    " i.sop_class_uid, i.sop_instance_uid, s.study_instance_uid, s.series_instance_uid,"
    " i.received, i.generation, i.originator, i.originator_message"
)
_OF_INSTANCE = "JOIN series s ON s.id = i.series JOIN associations a ON a.id = i.association"
COPY = f"""
SELECT c.id, c.instance, c.route, c.destinations, c.attempts, {_INSTANCE}
FROM copies c JOIN instances i ON i.id = c.instance {_OF_INSTANCE} WHERE c.id = ?
"""
DELIVERY = f"""
SELECT d.id, d.instance, d.destination, c.route, d.size, d.first_queued, d.attempts, d.refusals,
       c.segments,
       c.transfer_syntax, c.sop_class_uid, c.sop_instance_uid, c.study_instance_uid,
       c.series_instance_uid, {_INSTANCE}
FROM deliveries d JOIN copies c ON c.id = d.copy JOIN instances i ON i.id = d.instance
{_OF_INSTANCE} WHERE d.id = ?
"""
RELEASED = f"""
SELECT i.id, s.patient_id, s.accession_number, i.digest, {_INSTANCE}
FROM instances i {_OF_INSTANCE} WHERE i.id = ?
"""


def association(columns: Row) -> Association:
    return Association(*(*columns[:7], from_microseconds(columns[7])))


def _instance(columns: Row, paths: Paths) -> dict[str, Any]:
    """What every kind of task has of its instance."""
    path, offset, length, bulk, problem, transfer_syntax = columns[8:14]
    received, generation, originator, message = columns[18:22]
    return {
        "stored": Stored(paths.absolute(path), offset, length, decode_bulk(bulk), problem),
        "transfer_syntax": transfer_syntax,
        "sop_class_uid": columns[14],
        "sop_instance_uid": columns[15],
        "study_instance_uid": columns[16],
        "series_instance_uid": columns[17],
        "association": association(columns),
        "received": from_microseconds(received),
        "generation": generation,
        "move_originator": None if originator is None else (originator, message),
    }


def copy_task(connection: apsw.Connection, row: int, paths: Paths) -> CopyTask:
    (columns,) = fetch(connection, COPY, (row,))
    copy_id, instance_id, route, destinations, attempts = columns[:5]
    return CopyTask(
        copy_id=copy_id,
        instance_id=instance_id,
        route=route,
        destinations=decode_names(destinations),
        attempts=attempts,
        **_instance(columns[5:], paths),
    )


def delivery_task(connection: apsw.Connection, row: int, paths: Paths) -> DeliveryTask:
    (columns,) = fetch(connection, DELIVERY, (row,))
    delivery_id, instance_id, destination, route, size, queued = columns[:6]
    attempts, refusals, segments = columns[6:9]
    values = _instance(columns[14:], paths)
    stored: Stored = values.pop("stored")
    del values["generation"]
    if segments is not None:
        names = ("transfer_syntax", "sop_class_uid", "sop_instance_uid", "study_instance_uid")
        values |= zip((*names, "series_instance_uid"), columns[9:14], strict=True)
    whole = FileRange(stored.path, stored.offset, stored.length)
    return DeliveryTask(
        delivery_id=delivery_id,
        instance_id=instance_id,
        destination=destination,
        route=route,
        segments=(whole,) if segments is None else paths.decode_segments(segments),
        size=size,
        bulk=stored.bulk if segments is None else None,
        problem=stored.problem,
        first_queued=from_microseconds(queued),
        attempts=attempts,
        refusals=refusals,
        **values,
    )


def released_instance(connection: apsw.Connection, row: int, paths: Paths) -> ReleasedInstance:
    (columns,) = fetch(connection, RELEASED, (row,))
    instance_id, patient_id, accession_number, digest = columns[:4]
    arrival = Arrival(
        patient_id=patient_id,
        accession_number=accession_number,
        digest=digest,
        copies=(),
        **_instance(columns[4:], paths),
    )
    return ReleasedInstance(instance_id, arrival)
