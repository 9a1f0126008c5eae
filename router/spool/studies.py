"""Which studies wait for a destination, at a cost that does not grow with what waits.

Of the studies only the ones that came first and last are looked at, and of each no more than a few
deliveries: whoever sends small studies first finds those that just came, and the one whose turn it
is. Those in between come to be the first in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool.sources import came_from

if TYPE_CHECKING:
    from collections.abc import Container

    import apsw

    from router.spool.records import StandIn

MOST_COUNTED = 32  # deliveries of a study
_MOST_STUDIES = 8  # from either end
_MOST_DUE = 64

_QUEUED = (
    "FROM deliveries INDEXED BY deliveries_queued WHERE destination = :to AND state = 'queued'"
)
_NEXT_PRIORITY = f"""
SELECT priority {_QUEUED} AND priority < :below ORDER BY priority DESC LIMIT 1
"""
# From one study to the next through the index: the deliveries in between are not read.
_STUDIES = f"""
WITH RECURSIVE found(study) AS (
    SELECT (SELECT study {_QUEUED} AND priority = :priority ORDER BY study {{order}} LIMIT 1)
    UNION ALL
    SELECT (SELECT study {_QUEUED} AND priority = :priority AND study {{beyond}} found.study
            ORDER BY study {{order}} LIMIT 1)
    FROM found WHERE study IS NOT NULL)
SELECT study FROM found WHERE study IS NOT NULL LIMIT {_MOST_STUDIES}
"""
_FIRST_STUDIES = _STUDIES.format(order="ASC", beyond=">")
_LAST_STUDIES = _STUDIES.format(order="DESC", beyond="<")
_OF_STUDY = f"""
SELECT id {_QUEUED} AND priority = :priority AND study = :study ORDER BY id LIMIT :limit
"""
_DUE = """
SELECT priority, study, id FROM deliveries INDEXED BY deliveries_waiting
WHERE destination = :to AND state = 'waiting' AND due <= :now ORDER BY due LIMIT :limit
"""
_OTHERS = """
SELECT o.id, o.destination = :destination AND o.state != 'suppressed' OR EXISTS (
    SELECT 1 FROM attempts a WHERE a.delivery = o.id AND a.destination = :destination
        AND a.outcome = 'delivered')
FROM deliveries d JOIN deliveries o ON o.instance = d.instance AND o.id != d.id WHERE d.id = :id
"""
_KINDS = f"""
SELECT coalesce(c.sop_class_uid, i.sop_class_uid), coalesce(c.transfer_syntax, i.transfer_syntax)
FROM (SELECT copy, instance {_QUEUED} ORDER BY priority DESC, study, id LIMIT 256) d
    JOIN copies c ON c.id = d.copy JOIN instances i ON i.id = d.instance
"""


def kinds(connection: apsw.Connection, destination: str) -> set[tuple[str, str]]:
    """The (SOP class, transfer syntax) UIDs of the deliveries whose turn is next."""
    return set(connection.execute(_KINDS, {"to": destination}))


class WaitingDeliveries:
    """What waits for `destination` and is not among the `claimed`, `many` of which are its own."""

    def __init__(
        self, connection: apsw.Connection, destination: str, claimed: Container[int], many: int
    ) -> None:
        self._connection = connection
        self._to = destination
        self._claimed = claimed
        self._many = many

    def by_study(self, now: int, stand_in: StandIn | None) -> dict[int, list[int]]:
        """Deliveries of the highest priority there is, by study: the first to arrive first."""
        due = self._due(now)
        priority = self._next_priority(1 << 32, due)
        while priority is not None:
            studies = self._of_priority(priority)
            for level, study, row in due:
                if level == priority:
                    studies.setdefault(study, []).append(row)
            if stand_in is not None:
                studies = {
                    study: [row for row in rows if self._fits(row, stand_in)]
                    for study, rows in studies.items()
                }
            found = {study: sorted(rows) for study, rows in sorted(studies.items()) if rows}
            if found:
                return found
            priority = self._next_priority(priority, due)
        return {}

    def _due(self, now: int) -> list[tuple[int, int, int]]:
        limit = _MOST_DUE + self._many
        found = self._connection.execute(_DUE, {"to": self._to, "now": now, "limit": limit})
        return [row for row in found if row[2] not in self._claimed]

    def _next_priority(self, below: int, due: list[tuple[int, int, int]]) -> int | None:
        queued = self._connection.execute(_NEXT_PRIORITY, {"to": self._to, "below": below})
        levels = [level for (level,) in queued] + [level for level, _, _ in due if level < below]
        return max(levels, default=None)

    def _of_priority(self, priority: int) -> dict[int, list[int]]:
        where = {"to": self._to, "priority": priority}
        studies = [study for (study,) in self._connection.execute(_FIRST_STUDIES, where)]
        if len(studies) == _MOST_STUDIES:
            studies += [study for (study,) in self._connection.execute(_LAST_STUDIES, where)]
        found = {}
        for study in studies:
            values = where | {"study": study, "limit": MOST_COUNTED + self._many}
            rows = self._connection.execute(_OF_STUDY, values)
            unclaimed = [row for (row,) in rows if row not in self._claimed]
            found[study] = unclaimed[:MOST_COUNTED]
        return found

    def _fits(self, row: int, stand_in: StandIn) -> bool:
        execute = self._connection.execute
        instance = execute("SELECT instance FROM deliveries WHERE id = ?", (row,)).get
        if came_from(execute, instance, stand_in):
            return False
        others = execute(_OTHERS, {"id": row, "destination": stand_in.destination})
        return not any(is_its or other in self._claimed for other, is_its in others)
