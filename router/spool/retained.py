"""What the spool still has the bytes of and what was done with it, read beside a running router."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.spool.codec import Paths, decode_names, to_microseconds
from router.spool.errors import SpoolError
from router.spool.repeats import fingerprint
from router.spool.schema import VERSION, fetch, open_reader
from router.spool.tasks import released_instance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import apsw

    from router.dataset import Segment
    from router.spool.records import Arrival, CopyState

_RETAINED = """
SELECT id FROM instances WHERE path IS NOT NULL AND received >= ? ORDER BY id DESC LIMIT ?
"""
_COUNT = "SELECT count(*) FROM instances WHERE path IS NOT NULL AND received >= ?"
_COPIES = """
SELECT id, route, state, destinations, segments IS NOT NULL, content FROM copies
WHERE instance = ? ORDER BY id
"""
_LEFT_OUT = """
SELECT destination FROM deliveries WHERE copy = ? AND state IN ('suppressed', 'discarded')
"""


@dataclass(frozen=True, slots=True)
class DoneCopy:
    """What became of one route's copy, and where it went or is to go.

    `changed`: a chain made something else of it, of which `content` is the fingerprint, if known.
    """

    route: str
    state: CopyState
    destinations: tuple[str, ...]
    changed: bool
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Retained:
    """An instance whose file is still there."""

    arrival: Arrival
    copies: tuple[DoneCopy, ...]

    def content(self, segments: Sequence[Segment]) -> bytes | None:
        """What `DoneCopy.content` would be of a copy that consists of these."""
        return fingerprint(segments, self.arrival.stored, self.arrival.digest)


class RetainedInstances:
    """The instances that came in the last `since` seconds, `limit` of them at most, newest first.

    Raises SpoolError where there is no ledger, or one of another version.
    """

    def __init__(self, directory: Path, since: float, limit: int) -> None:
        path = directory / "ledger.db"
        if not path.is_file():
            raise SpoolError(f"there is no spool at {directory} yet")
        self._paths = Paths(str(directory))
        self._connection = open_reader(path)
        version = self._connection.execute("PRAGMA user_version").get
        if version != VERSION:
            self._connection.close()
            raise SpoolError(
                f"{path} has schema {version} and this version of the router reads {VERSION}"
            )
        earliest = to_microseconds(datetime.now(UTC) - timedelta(seconds=since))
        self.total: int = self._connection.execute(_COUNT, (earliest,)).get
        rows = fetch(self._connection, _RETAINED, (earliest, limit))
        self._ids = [row for (row,) in rows]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Retained]:
        """Each as it is now; what has gone meanwhile is passed over. Closes the ledger."""
        try:
            for row in self._ids:
                if (found := _read(self._connection, row, self._paths)) is not None:
                    yield found
        finally:
            self._connection.close()


def _read(connection: apsw.Connection, row: int, paths: Paths) -> Retained | None:
    with connection:  # one snapshot
        kept = fetch(
            connection, "SELECT 1 FROM instances WHERE id = ? AND path IS NOT NULL", (row,)
        )
        if not kept:
            return None
        arrival = released_instance(connection, row, paths).arrival
        copies = fetch(connection, _COPIES, (row,))
        done = tuple(_copy(connection, *columns) for columns in copies)
    return Retained(arrival, done)


def _copy(
    connection: apsw.Connection,
    row: int,
    route: str,
    state: CopyState,
    destinations: str,
    changed: int,
    content: bytes | None,
) -> DoneCopy:
    left_out = {name for (name,) in fetch(connection, _LEFT_OUT, (row,))}
    named = decode_names(destinations)
    to = tuple(name for name in named if name not in left_out)
    return DoneCopy(route, state, to, bool(changed), content)
