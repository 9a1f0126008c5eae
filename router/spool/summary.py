"""What `status` is told, gathered from the rows that wait or are held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool import complete_studies
from router.spool.codec import from_microseconds, optional_time
from router.spool.repeats import WITH_ITS_STUDY
from router.spool.reports import (
    DestinationSummary,
    HeldCopies,
    HeldInstances,
    RefusalGroup,
    Summary,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

MISSING_FILE = "its file is missing from the spool"
DAY = 24 * 60 * 60 * 1_000_000

# Counted per study first: fewer groups meet.
QUEUED = """
WITH waiting AS (
    SELECT destination, study, count(*) AS n, sum(size) AS bytes, min(first_queued) AS oldest
    FROM deliveries INDEXED BY deliveries_queued WHERE state = 'queued'
    GROUP BY destination, study
    UNION ALL
    SELECT destination, study, count(*), sum(size), min(first_queued)
    FROM deliveries INDEXED BY deliveries_waiting WHERE state = 'waiting'
    GROUP BY destination, study)
SELECT destination, sum(n), sum(bytes), min(oldest), count(DISTINCT study)
FROM waiting GROUP BY destination
"""
WAITING = f"""
SELECT destination, min(oldest), failing_since, last_status FROM (
    SELECT destination, min(first_queued) AS oldest
    FROM deliveries INDEXED BY deliveries_queued WHERE state = 'queued' GROUP BY destination
    UNION ALL
    SELECT destination, min(first_queued)
    FROM deliveries INDEXED BY deliveries_waiting
    WHERE state = 'waiting' AND due < {WITH_ITS_STUDY} GROUP BY destination)
LEFT JOIN destinations ON name = destination GROUP BY destination
"""
HELD = """
SELECT destination, count(*) FROM deliveries INDEXED BY deliveries_held
WHERE state = 'held' GROUP BY destination
"""
DESTINATIONS = """
SELECT name, last_success, failing_since, last_status, last_comment, paused FROM destinations
"""
HELD_COPIES = """
SELECT route, coalesce(reason, ''), coalesce(plugin, ''), coalesce(hook, ''), count(*),
       min(changed)
FROM copies INDEXED BY copies_held WHERE state = 'held' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2
"""
HELD_INSTANCES = """
SELECT coalesce(reason, ''), count(*), min(changed) FROM instances INDEXED BY instances_held
WHERE state = 'held' GROUP BY 1 ORDER BY 1
"""
REFUSALS = """
SELECT listener, calling_ae_title, address, status, reason, count(*), max(time) FROM refusals
WHERE time > ? AND NOT EXISTS (
    SELECT 1 FROM instances INDEXED BY instances_sop
    WHERE sop_instance_uid = refusals.sop_instance_uid AND received > time)
GROUP BY 1, 2, 3, 4, 5 ORDER BY max(time) DESC
"""
COPIES_WAITING = "SELECT count(*) FROM copies INDEXED BY copies_received WHERE state = 'received'"
MISSING = """
SELECT count(*) FROM (
    SELECT instance FROM deliveries INDEXED BY deliveries_held
    WHERE state = 'held' AND reason = :reason
    UNION SELECT instance FROM copies INDEXED BY copies_held
    WHERE state = 'held' AND reason = :reason
    UNION SELECT id FROM instances INDEXED BY instances_held
    WHERE state = 'held' AND reason = :reason)
"""


def waiting(connection: apsw.Connection) -> list[Waiting]:
    return [
        Waiting(name, from_microseconds(oldest), optional_time(failing_since), status)
        for name, oldest, failing_since, status in connection.execute(WAITING)
    ]


def summary(
    connection: apsw.Connection, now: int, sending: Callable[[str], int], failed: str | None
) -> Summary:
    instances, spool_bytes = connection.execute("SELECT instances, bytes FROM totals").get
    return Summary(
        destinations=_destinations(connection, sending),
        copies_waiting=connection.execute(COPIES_WAITING).get,
        held_copies=tuple(
            HeldCopies(*(*row[:5], from_microseconds(row[5])))
            for row in connection.execute(HELD_COPIES)
        ),
        held_instances=tuple(
            HeldInstances(reason, count, from_microseconds(oldest))
            for reason, count, oldest in connection.execute(HELD_INSTANCES)
        ),
        refusals=tuple(
            RefusalGroup(*(*row[:6], from_microseconds(row[6])))
            for row in connection.execute(REFUSALS, (now - DAY,))
        ),
        instances=instances,
        spool_bytes=spool_bytes,
        missing_files=connection.execute(MISSING, {"reason": MISSING_FILE}).get,
        failed=failed,
        studies=complete_studies.summarize(connection),
    )


def _destinations(
    connection: apsw.Connection, sending: Callable[[str], int]
) -> tuple[DestinationSummary, ...]:
    queued = {row[0]: row[1:] for row in connection.execute(QUEUED)}
    held = dict(connection.execute(HELD))
    known = {row[0]: row[1:] for row in connection.execute(DESTINATIONS)}
    summaries = []
    for name in sorted(queued.keys() | held.keys() | known.keys()):
        count, size, oldest, studies = queued.get(name, (0, 0, None, 0))
        success, failing, status, comment, paused = known.get(name, (None, None, None, "", 0))
        summaries.append(
            DestinationSummary(
                destination=name,
                queued=count,
                sending=sending(name),
                held=held.get(name, 0),
                studies_waiting=studies,
                bytes_waiting=size,
                oldest=optional_time(oldest),
                last_success=optional_time(success),
                failing_since=optional_time(failing),
                last_status=status,
                last_comment=comment,
                paused=bool(paused),
            )
        )
    return tuple(summaries)
