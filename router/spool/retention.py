"""What is done may go: which files, and which rows, a bounded number at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool import gathering
from router.spool.codec import encode_names
from router.spool.records import Expirable
from router.spool.schema import fetch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import apsw

    from router.spool.codec import Paths
    from router.spool.schema import Row
    from router.spool.transaction import Transaction

MOST_FORGOTTEN = 200

EXPIRABLE = """
SELECT instances.id, path FROM done JOIN instances ON instances.id = done.instance
WHERE done.time <= ? AND path NOT IN (SELECT value FROM json_each(?))
ORDER BY done.time LIMIT ?
"""
SHARED = "SELECT id FROM instances WHERE path = ?"
COPIES = "SELECT id FROM copies WHERE instance = ?"
FORGET_FILE = """
DELETE FROM files WHERE path = ?1 AND NOT EXISTS (SELECT 1 FROM instances WHERE path = ?1)
"""
FORGOTTEN = """
SELECT id, series, association FROM instances INDEXED BY instances_gone
WHERE path IS NULL AND received < ? LIMIT ?
"""


def expirable(
    connection: apsw.Connection, before: int, limit: int, spared: Collection[str], paths: Paths
) -> list[Expirable]:
    spared_paths = encode_names([paths.relative(path) for path in spared])
    rows = fetch(connection, EXPIRABLE, (before, spared_paths, limit))
    going = {row for row, _ in rows}
    return [
        Expirable(
            row,
            paths.absolute(path),
            any(other not in going for (other,) in fetch(connection, SHARED, (path,))),
            tuple(copy for (copy,) in fetch(connection, COPIES, (row,))),
        )
        for row, path in rows
    ]


def forget_files(transaction: Transaction, instances: Collection[int]) -> None:
    """What is left of done instances is their trail."""
    for instance in instances:
        transaction.execute("DELETE FROM done WHERE instance = ?", (instance,))
        if not transaction.changed():
            continue
        [(length, path)] = transaction.execute(
            "SELECT length, path FROM instances WHERE id = ?", (instance,)
        )
        transaction.added_bytes -= length
        transaction.added_instances -= 1
        transaction.execute(
            "UPDATE instances SET path = NULL, bulk = x'' WHERE id = ?", (instance,)
        )
        transaction.execute(FORGET_FILE, (path,))
        transaction.execute(
            "UPDATE copies SET segments = NULL WHERE instance = ? AND segments IS NOT NULL",
            (instance,),
        )


def forget(transaction: Transaction, before: int) -> int:
    rows: list[Row] = transaction.execute(FORGOTTEN, (before, MOST_FORGOTTEN)).fetchall()
    for instance, _, _ in rows:
        for statement in (
            "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE instance = ?)",
            "DELETE FROM deliveries WHERE instance = ?",
            "DELETE FROM copies WHERE instance = ?",
            "DELETE FROM instances WHERE id = ?",
        ):
            transaction.execute(statement, (instance,))
    _forget_shared(transaction, "series", {series for _, series, _ in rows})
    _forget_shared(transaction, "association", {association for _, _, association in rows})
    transaction.execute(
        "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE time < ? LIMIT ?)",
        (before, MOST_FORGOTTEN),
    )
    gathering.forget(transaction, before)
    transaction.execute("DELETE FROM retrieves WHERE closed < ?", (before,))
    transaction.forget_cached()
    return len(rows)


def _forget_shared(transaction: Transaction, column: str, ids: Iterable[int]) -> None:
    table = {"series": "series", "association": "associations"}[column]
    for row in ids:
        transaction.execute(
            f"DELETE FROM {table} WHERE id = :id"
            f" AND NOT EXISTS (SELECT 1 FROM instances WHERE {column} = :id)",
            {"id": row},
        )
