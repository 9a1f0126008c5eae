"""Whether the files of the spool and the ledger agree, and what can be done where they do not."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.spool.codec import WORKSPACES
from router.spool.journal import read_records
from router.spool.schema import fetch, open_reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import apsw

    from router.spool.codec import Paths

_MOST_PROBLEMS = 20

_NEEDED = """
SELECT path, max(offset + length) FROM instances WHERE path IS NOT NULL GROUP BY path
"""
_LOST = """
SELECT id, sop_instance_uid FROM instances WHERE path = ? AND offset + length > ? ORDER BY id
"""
_KNOWN = "SELECT 1 FROM files WHERE path = ?1 UNION ALL SELECT 1 FROM instances WHERE path = ?1"
_WORKSPACE = """
SELECT 1 FROM copies JOIN instances ON instances.id = instance
WHERE copies.id = ? AND path IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class LostInstance:
    """An instance whose bytes should be here and are not: what is wrong with its file."""

    instance_id: int
    sop_instance_uid: str
    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found: `ledger` is what SQLite says of its own file, `orphans` the paths nothing
    refers to, `unrecorded` files with instances in them that the ledger does not know (any more).
    """

    ledger: tuple[str, ...]
    lost: tuple[LostInstance, ...]
    orphans: tuple[str, ...]
    unrecorded: tuple[str, ...]


def diagnose(ledger: Path, paths: Paths, spared: Collection[str], started: float) -> Diagnosis:
    """Compare them. `spared` files are being written, and so is what is newer than `started`
    (seconds since 1970); no file may be removed meanwhile.
    """
    connection = open_reader(ledger)
    try:
        with connection:
            problems = [str(row) for (row,) in fetch(connection, "PRAGMA integrity_check(20)")]
            lost = tuple(_lost(connection, paths))
            strangers = [
                path
                for path in _strangers(connection, ledger.parent)
                if path not in spared and os.stat(path).st_mtime < started
            ]
    finally:
        connection.close()
    unrecorded = tuple(path for path in strangers if _has_records(path))
    return Diagnosis(
        ledger=() if problems == ["ok"] else tuple(problems[:_MOST_PROBLEMS]),
        lost=lost,
        orphans=tuple(path for path in strangers if path not in unrecorded),
        unrecorded=unrecorded,
    )


def remove(orphans: Collection[str]) -> None:
    """Remove what nothing refers to."""
    for path in orphans:
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def _lost(connection: apsw.Connection, paths: Paths) -> Iterator[LostInstance]:
    for path, needed in fetch(connection, _NEEDED):
        try:
            size = os.stat(paths.absolute(path)).st_size
        except FileNotFoundError:
            size = -1
        if size < needed:
            problem = f"{size} of {needed} bytes are there" if size >= 0 else "its file is gone"
            for row, uid in fetch(connection, _LOST, (path, size)):
                yield LostInstance(row, uid, paths.absolute(path), problem)


def _strangers(connection: apsw.Connection, root: Path) -> Iterator[str]:
    """Files and workspaces that no row refers to."""
    for file in root.glob("files/*/*"):
        if not fetch(connection, _KNOWN, (str(file.relative_to(root)),)):
            yield str(file)
    for file in root.glob("files/*"):
        if file.is_file() and not file.name.startswith("settled"):
            yield str(file)
    for workspace in root.glob(f"{WORKSPACES}/*"):
        copy = int(workspace.name) if workspace.name.isdecimal() else -1
        if not fetch(connection, _WORKSPACE, (copy,)):
            yield str(workspace)


def _has_records(path: str) -> bool:
    return os.path.isfile(path) and next(read_records(path, 0), None) is not None
