"""What `where` is told: an instance's whole way, found by any of its identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool import complete_studies
from router.spool.codec import decode_names, from_microseconds, optional_time
from router.spool.records import Attempt, IntakeRefusal
from router.spool.reports import CopyTrail, DeliveryTrail, InstanceTrail, Trail
from router.spool.schema import fetch
from router.spool.tasks import ASSOCIATION, association

if TYPE_CHECKING:
    import apsw

    from router.spool.schema import Row

BY_UID = """
SELECT id FROM instances WHERE sop_instance_uid = :value
UNION SELECT instances.id FROM series JOIN instances ON series = series.id
    WHERE study_instance_uid = :value
UNION SELECT instances.id FROM series JOIN instances ON series = series.id
    WHERE series_instance_uid = :value
UNION SELECT instance FROM copies WHERE sop_instance_uid = :value
UNION SELECT instance FROM copies WHERE study_instance_uid = :value
ORDER BY 1 LIMIT :limit
"""
BY_PATIENT_ID = """
SELECT instances.id FROM series JOIN instances ON series = series.id
WHERE patient_id = :value ORDER BY 1 LIMIT :limit
"""
BY_ACCESSION_NUMBER = """
SELECT instances.id FROM series JOIN instances ON series = series.id
WHERE accession_number = :value ORDER BY 1 LIMIT :limit
"""
INSTANCE = f"""
SELECT {ASSOCIATION}, i.sop_class_uid, i.sop_instance_uid, study_instance_uid,
       series_instance_uid, received, length, state, reason, changed,
       path IS NOT NULL
FROM instances i JOIN series s ON s.id = i.series JOIN associations a ON a.id = i.association
WHERE i.id = ?
"""
COPIES = """
SELECT id, route, state, destinations, reason, plugin, hook, sop_instance_uid, study_instance_uid,
       changed, notes
FROM copies WHERE instance = ? ORDER BY id
"""
DELIVERIES = """
SELECT id, copy, destination, state, reason, changed, note FROM deliveries
WHERE instance = ? ORDER BY id
"""
REFUSALS = """
SELECT time, listener, calling_ae_title, address, sop_instance_uid, status, reason
FROM refusals WHERE sop_instance_uid = ? ORDER BY id LIMIT ?
"""
ATTEMPTS = """
SELECT time, outcome, status, comment, retry_at, destination FROM attempts
WHERE delivery = ? ORDER BY number
"""


def where(connection: apsw.Connection, query: str, value: str, limit: int) -> Trail:
    """`query` is one of this module's BY_ queries."""
    found = fetch(connection, query, {"value": value, "limit": limit + 1})
    trails = tuple(_instance(connection, row) for (row,) in found[:limit])
    refusals = _refusals(connection, value, limit) if query == BY_UID else ()
    uids = dict.fromkeys(instance.study_instance_uid for instance in trails)
    studies = tuple(study for uid in uids for study in complete_studies.trail(connection, uid))
    return Trail(trails, refusals, truncated=len(found) > limit, studies=studies)


def _refusals(connection: apsw.Connection, uid: str, limit: int) -> tuple[IntakeRefusal, ...]:
    rows = fetch(connection, REFUSALS, (uid, limit))
    return tuple(IntakeRefusal(from_microseconds(time), *rest) for time, *rest in rows)


def _instance(connection: apsw.Connection, row: int) -> InstanceTrail:
    (columns,) = fetch(connection, INSTANCE, (row,))
    sop_class, sop_instance, study, series, received, size = columns[8:14]
    state, reason, changed, kept = columns[14:]
    copies = {
        columns[0]: _copy(columns, sop_instance, study)
        for columns in fetch(connection, COPIES, (row,))
    }
    return InstanceTrail(
        instance_id=row,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
        study_instance_uid=study,
        series_instance_uid=series,
        association=association(columns),
        received=from_microseconds(received),
        size=size,
        state=state,
        reason=reason or "",
        changed=from_microseconds(changed),
        kept=bool(kept),
        copies=tuple(copies.values()),
        deliveries=_deliveries(connection, row, copies),
    )


def _copy(columns: Row, sop_instance: str, study: str) -> CopyTrail:
    _, route, state, destinations, reason, plugin, hook, own_sop, own_study = columns[:9]
    changed, notes = columns[9:]
    return CopyTrail(
        route=route,
        state=state,
        destinations=decode_names(destinations),
        reason=reason or "",
        plugin=plugin or "",
        hook=hook or "",
        sop_instance_uid=own_sop or sop_instance,
        study_instance_uid=own_study or study,
        notes=decode_names(notes),
        changed=from_microseconds(changed),
    )


def _deliveries(
    connection: apsw.Connection, row: int, copies: dict[int, CopyTrail]
) -> tuple[DeliveryTrail, ...]:
    rows = fetch(connection, DELIVERIES, (row,))
    return tuple(
        DeliveryTrail(
            destination=destination,
            route=copies[copy].route,
            state="queued" if state == "waiting" else state,
            sop_instance_uid=copies[copy].sop_instance_uid,
            reason=reason or "",
            changed=from_microseconds(changed),
            attempts=_attempts(connection, delivery),
            note=note or "",
        )
        for delivery, copy, destination, state, reason, changed, note in rows
    )


def _attempts(connection: apsw.Connection, delivery: int) -> tuple[Attempt, ...]:
    rows = fetch(connection, ATTEMPTS, (delivery,))
    return tuple(
        Attempt(
            delivery,
            from_microseconds(time),
            outcome,
            status,
            comment,
            optional_time(retry_at),
            destination,
        )
        for time, outcome, status, comment, retry_at, destination in rows
    )
