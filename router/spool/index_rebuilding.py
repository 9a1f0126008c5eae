"""A local index made anew from the files alone, beside a router that goes on with it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.spool.index import put
from router.spool.index_entry import read_entry
from router.spool.index_state import rebuilding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import apsw

    from router.spool.index import LocalIndex
    from router.spool.index_entry import Entry

_AT_ONCE = 100  # files in a transaction


@dataclass
class Rebuilt:
    """What a rebuild has found: files it could read, the others, instances that are gone."""

    indexed: int = 0
    gone: int = 0
    others: list[tuple[bytes, str]] = field(default_factory=list)  # path, why not


def files_of(directory: Path) -> Iterator[bytes]:
    """Paths of the files below a folder; of what is still being written none."""
    top = os.fsencode(directory)
    for above, _, names in os.walk(top):
        for name in sorted(names):
            if not (name.startswith(b".") and name.endswith(b".part")):
                yield os.path.relpath(os.path.join(above, name), top)


def rebuild(index: LocalIndex, told: Callable[[], None]) -> Rebuilt:
    """Read every file, `told` after each, and forget what has none. OSError where the folder is
    not there: then nothing is forgotten.

    What the router writes meanwhile is kept: its files are newer, and their rows of this round.
    """
    os.listdir(index.directory)
    with rebuilding(index.path):
        return _rebuilt(index, told)


def _rebuilt(index: LocalIndex, told: Callable[[], None]) -> Rebuilt:
    with index.transaction() as connection:
        connection.execute("UPDATE state SET round = round + 1")
    result = Rebuilt()
    batch: list[Entry] = []
    for path in files_of(index.directory):
        try:
            batch.append(read_entry(index.directory, path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            result.others.append((path, _reason(error, index.directory, path)))
        if len(batch) == _AT_ONCE:
            result.indexed += _write(index, batch)
            batch = []
        told()
    result.indexed += _write(index, batch)
    with index.transaction() as connection:
        result.gone = _sweep(connection)
        connection.execute("UPDATE state SET whole = 1")
    return result


def _reason(error: OSError | ValueError, directory: Path, path: bytes) -> str:
    """Without the path, which begins what is said of files that are no DICOM files."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    file = os.path.join(os.fsencode(directory), path)
    return str(error).removeprefix(os.fsdecode(file)).lstrip(": ")


def _write(index: LocalIndex, entries: list[Entry]) -> int:
    with index.transaction() as connection:
        for entry in entries:
            if _is_current(index.directory, entry) and not _is_older(connection, entry):
                put(connection, entry)
    return len(entries)


def _is_current(directory: Path, entry: Entry) -> bool:
    """A file that was replaced since it was read has rows of its own, or gets them after these."""
    try:
        path = os.path.join(os.fsencode(directory), entry.path)
        return os.stat(path).st_mtime_ns == entry.changed
    except OSError:
        return False


def _is_older(connection: apsw.Connection, entry: Entry) -> bool:
    """Whether this round has seen a newer file of the same instance."""
    query = (
        "SELECT 1 FROM instances, state WHERE sop_instance_uid = ? AND seen = round AND changed > ?"
    )
    return connection.execute(query, (entry.sop_instance_uid, entry.changed)).get is not None


def _sweep(connection: apsw.Connection) -> int:
    unseen = "WHERE seen < (SELECT round FROM state)"
    gone = connection.execute(f"SELECT count(*) FROM instances {unseen}").get
    for table in ("instances", "series", "studies"):
        connection.execute(f"DELETE FROM {table} {unseen}")
    return int(gone)
