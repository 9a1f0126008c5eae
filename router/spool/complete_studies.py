"""What is asked about studies that come together: which are complete, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool.codec import decode_bulk, decode_names, from_microseconds
from router.spool.records import Stored
from router.spool.reports import StudiesSummary, StudyTrail
from router.spool.schema import fetch
from router.spool.study_records import StudyCopy, StudyTask
from router.spool.tasks import ASSOCIATION, association

if TYPE_CHECKING:
    from collections.abc import Collection

    import apsw

    from router.spool.codec import Paths
    from router.spool.schema import Row

# A late arrival's turn comes when what was complete before it has been told.
_COMPLETE = """
SELECT id, route, study_instance_uid, late, told, attempts
FROM studies s INDEXED BY studies_complete WHERE state = 'complete' AND due <= :now
    AND NOT EXISTS (SELECT 1 FROM studies e INDEXED BY studies_study
                    WHERE e.study_instance_uid = s.study_instance_uid AND e.route = s.route
                        AND e.state = 'complete' AND e.id < s.id)
ORDER BY due LIMIT :limit
"""
_COPIES = f"""
SELECT {ASSOCIATION}, i.path, i.offset, i.length, i.bulk, i.problem, i.transfer_syntax, i.received,
       c.segments, coalesce(c.transfer_syntax, i.transfer_syntax),
       coalesce(c.sop_instance_uid, i.sop_instance_uid),
       coalesce(c.study_instance_uid, series.study_instance_uid)
FROM gathered g JOIN copies c ON c.id = g.copy JOIN instances i ON i.id = g.instance
    JOIN series ON series.id = i.series JOIN associations a ON a.id = i.association
WHERE g.study = ? AND i.path IS NOT NULL ORDER BY i.id
"""
_NEXT = """
SELECT min(due) FROM (
    SELECT min(due) AS due FROM studies INDEXED BY studies_gathering
    WHERE state = 'gathering' AND due > :now
    UNION ALL SELECT min(due) FROM studies INDEXED BY studies_complete
    WHERE state = 'complete' AND due > :now)
"""
_SUMMARY = """
SELECT route, state, coalesce(plugin, ''), coalesce(reason, ''), count(*), min(changed)
FROM studies INDEXED BY {0} WHERE state = '{1}' GROUP BY 1, 3, 4 ORDER BY 1, 3, 4
"""
_TRAIL = """
SELECT route, study_instance_uid, state, late, changed, due, attempts, coalesce(plugin, ''),
       coalesce(reason, '')
FROM studies WHERE study_instance_uid = ? ORDER BY id
"""


def complete_studies(
    connection: apsw.Connection, now: int, limit: int, claimed: Collection[int], paths: Paths
) -> list[StudyTask]:
    """Those to be told of, but the claimed ones, with all that is in them."""
    most = {"now": now, "limit": limit + len(claimed)}
    rows = [row for row in fetch(connection, _COMPLETE, most) if row[0] not in claimed]
    return [_task(connection, row, paths) for row in rows[:limit]]


def next_study(connection: apsw.Connection, now: int) -> int | None:
    """When the next quiet is over, or the next try is due."""
    [(due,)] = fetch(connection, _NEXT, {"now": now})
    return None if due is None else int(due)


def summarize(connection: apsw.Connection) -> tuple[StudiesSummary, ...]:
    """By route, what gathers and what is complete and not told yet."""
    return tuple(
        StudiesSummary(route, state, plugin, reason, count, from_microseconds(since))
        for index, state in (("studies_gathering", "gathering"), ("studies_complete", "complete"))
        for route, state, plugin, reason, count, since in fetch(
            connection, _SUMMARY.format(index, state)
        )
    )


def trail(connection: apsw.Connection, study_instance_uid: str) -> list[StudyTrail]:
    """How often a study has been complete, and for whom."""
    return [
        StudyTrail(
            route=route,
            study_instance_uid=uid,
            state=state,
            late=bool(late),
            changed=from_microseconds(changed),
            due=from_microseconds(due),
            attempts=attempts,
            plugin=plugin,
            reason=reason,
        )
        for route, uid, state, late, changed, due, attempts, plugin, reason in fetch(
            connection, _TRAIL, (study_instance_uid,)
        )
    ]


def _task(connection: apsw.Connection, row: Row, paths: Paths) -> StudyTask:
    study, route, uid, late, told, attempts = row
    copies = [_copy(columns, paths) for columns in fetch(connection, _COPIES, (study,))]
    return StudyTask(
        id=study,
        route=route,
        original_study_instance_uid=uid,
        late=bool(late),
        told=decode_names(told),
        attempts=attempts,
        # of what was sent again meanwhile, the last
        copies=tuple({copy.sop_instance_uid: copy for copy in copies}.values()),
    )


def _copy(columns: Row, paths: Paths) -> StudyCopy:
    path, offset, length, bulk, problem, transfer_syntax, received, segments = columns[8:16]
    leaving, sop_instance_uid, study_instance_uid = columns[16:]
    return StudyCopy(
        stored=Stored(paths.absolute(path), offset, length, decode_bulk(bulk), problem),
        received_transfer_syntax=transfer_syntax,
        association=association(columns),
        received=from_microseconds(received),
        segments=None if segments is None else paths.decode_segments(segments),
        transfer_syntax=leaving,
        sop_instance_uid=sop_instance_uid,
        study_instance_uid=study_instance_uid,
    )
