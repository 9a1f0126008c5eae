"""What `queue list` is told, and which rows the queue's commands are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from router.spool.codec import decode_names, from_microseconds, optional_time
from router.spool.reports import QueueRow
from router.spool.selection import ALIASES, KINDS, parameters, sources

if TYPE_CHECKING:
    import apsw

    from router.spool.records import Selection
    from router.spool.selection import Kind

_COPY_UIDS = (
    "coalesce(c.study_instance_uid, s.study_instance_uid),"
    " coalesce(c.sop_instance_uid, i.sop_instance_uid)"
)
# id, state, destinations, route, study, SOP instance, size, since, due, attempts, reason
_COLUMNS: dict[Kind, str] = {
    "instances": "i.id, i.state, '[]', '', s.study_instance_uid, i.sop_instance_uid, i.length,"
    " i.changed, NULL, 0, i.reason",
    "copies": f"c.id, c.state, c.destinations, c.route, {_COPY_UIDS}, i.length, c.changed,"
    " c.retry_at, c.attempts, c.reason",
    "deliveries": f"d.id, d.state, json_array(d.destination), c.route, {_COPY_UIDS}, d.size,"
    " d.first_queued, d.due, d.attempts, d.reason",
}
SINGULAR: dict[Kind, Literal["instance", "copy", "delivery"]] = {
    "instances": "instance",
    "copies": "copy",
    "deliveries": "delivery",
}
_SHOWN = {"waiting": "queued", "released": "received"}


def list_rows(connection: apsw.Connection, selection: Selection, limit: int) -> list[QueueRow]:
    rows: list[QueueRow] = []
    for kind in KINDS:
        selects = [f"SELECT {_COLUMNS[kind]} {source}" for source in sources(selection, kind)]
        query = f"{' UNION ALL '.join(selects)} ORDER BY 1 LIMIT :limit"
        values = {**parameters(selection), "limit": limit - len(rows)}
        rows += [_row(kind, columns) for columns in connection.execute(query, values)]
    return rows


def _row(kind: Kind, columns: tuple[Any, ...]) -> QueueRow:
    row, state, destinations, route, study, sop_instance, size, since, due = columns[:9]
    attempts, reason = columns[9:]
    return QueueRow(
        kind=SINGULAR[kind],
        id=row,
        state=_SHOWN.get(state, state),
        destinations=decode_names(destinations),
        route=route,
        study_instance_uid=study,
        sop_instance_uid=sop_instance,
        size=size,
        since=from_microseconds(since),
        due=optional_time(due),
        attempts=attempts,
        reason=reason or "",
    )


def count_rows(connection: apsw.Connection, selection: Selection) -> int:
    values = parameters(selection)
    return sum(
        connection.execute(f"SELECT count(*) {source}", values).get
        for kind in KINDS
        for source in sources(selection, kind)
    )


def select_ids(
    connection: apsw.Connection, selection: Selection, whole_copies: bool = False
) -> dict[Kind, list[int]]:
    values = parameters(selection)
    return {
        kind: [
            row
            for source in sources(selection, kind, whole_copies)
            for (row,) in connection.execute(f"SELECT {ALIASES[kind]}.id {source}", values)
        ]
        for kind in KINDS
    }


def unprocessed_by_route(connection: apsw.Connection) -> dict[str, list[int]]:
    """The copies whose chain is still to run: those received, and those to be tried again."""
    found: dict[str, list[int]] = {}
    for query in (
        "SELECT route, id FROM copies INDEXED BY copies_received WHERE state = 'received'",
        "SELECT route, id FROM copies INDEXED BY copies_held"
        " WHERE state = 'held' AND retry_at IS NOT NULL",
    ):
        for route, copy in connection.execute(query):
            found.setdefault(route, []).append(copy)
    return found
