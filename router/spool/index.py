"""The local index of a folder destination: what its files are, to be queried and retrieved.

It can always be made anew from the files, which are what counts. Several processes may have it
open: the router, and `dicom-router index rebuild` beside it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import apsw

from router.spool.errors import SpoolError
from router.spool.index_keys import name_groups, plain_date
from router.spool.index_reading import IndexReader
from router.spool.schema import create_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.spool.index_entry import Entry

_VERSION = 1
_IDLE_READERS = 8
_TABLES = """
CREATE TABLE state(
    directory TEXT NOT NULL,
    whole INTEGER NOT NULL,     -- every file of the directory is in here
    round INTEGER NOT NULL      -- of rebuilding, which is over for what was seen in it
) STRICT;
INSERT INTO state VALUES('', 0, 0);
CREATE TABLE studies(
    id INTEGER PRIMARY KEY, study_instance_uid TEXT NOT NULL UNIQUE, patient_id TEXT NOT NULL,
    issuer TEXT NOT NULL, birth_date TEXT NOT NULL, study_date TEXT NOT NULL,
    accession_number TEXT NOT NULL, study_id TEXT NOT NULL, changed INTEGER NOT NULL,
    seen INTEGER NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE INDEX studies_patient ON studies(patient_id, issuer);
CREATE INDEX studies_date ON studies(study_date);
CREATE INDEX studies_birth_date ON studies(birth_date);
CREATE INDEX studies_accession_number ON studies(accession_number);
CREATE INDEX studies_study_id ON studies(study_id);
CREATE TABLE names(
    name TEXT NOT NULL, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    PRIMARY KEY(name, study)
) STRICT, WITHOUT ROWID;
CREATE INDEX names_study ON names(study);
CREATE TABLE series(
    id INTEGER PRIMARY KEY, study INTEGER NOT NULL REFERENCES studies ON DELETE CASCADE,
    series_instance_uid TEXT NOT NULL, modality TEXT NOT NULL, changed INTEGER NOT NULL,
    seen INTEGER NOT NULL, attributes TEXT NOT NULL, UNIQUE(series_instance_uid, study)
) STRICT;
CREATE INDEX series_study ON series(study, modality);
CREATE INDEX series_modality ON series(modality, study);
CREATE TABLE instances(
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    sop_instance_uid TEXT NOT NULL UNIQUE, sop_class_uid TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL, path BLOB NOT NULL, changed INTEGER NOT NULL,
    seen INTEGER NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE INDEX instances_series ON instances(series, sop_class_uid);
CREATE INDEX instances_path ON instances(path);
"""
# A study or series has the attributes of its newest file; what a rebuild has not seen is replaced.
_NEWER = "excluded.changed >= changed OR seen < excluded.seen"
_STUDY = f"""
INSERT INTO studies(study_instance_uid, patient_id, issuer, birth_date, study_date,
    accession_number, study_id, changed, seen, attributes) VALUES(?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(study_instance_uid) DO UPDATE SET patient_id = excluded.patient_id,
    issuer = excluded.issuer, birth_date = excluded.birth_date, study_date = excluded.study_date,
    accession_number = excluded.accession_number, study_id = excluded.study_id,
    changed = excluded.changed, seen = excluded.seen, attributes = excluded.attributes
    WHERE {_NEWER}
"""
_SERIES = f"""
INSERT INTO series(study, series_instance_uid, modality, changed, seen, attributes)
    VALUES(?,?,?,?,?,?)
ON CONFLICT(series_instance_uid, study) DO UPDATE SET modality = excluded.modality,
    changed = excluded.changed, seen = excluded.seen, attributes = excluded.attributes
    WHERE {_NEWER}
"""
_INSTANCE = """
INSERT OR REPLACE INTO instances(series, sop_instance_uid, sop_class_uid, transfer_syntax, path,
    changed, seen, attributes) VALUES(?,?,?,?,?,?,?,?)
"""
_EMPTY = """
DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM instances WHERE series = ?1)
    RETURNING study
"""
_EMPTY_STUDY = """
DELETE FROM studies WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM series WHERE study = ?1)
"""


class LocalIndex:
    """What a folder's index writes; `IndexReader` reads. For any thread."""

    def __init__(self, path: Path, directory: Path) -> None:
        """Made where there is none, or where it is another directory's. Raises SpoolError."""
        self.path, self.directory = path, directory
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # a write may take long
        self._readers: list[IndexReader] = []
        try:
            self._connection = _connected(path)
        except (apsw.Error, OSError) as error:
            raise SpoolError(f"{path}: {error}") from error
        with self.transaction() as connection:
            if connection.execute("PRAGMA user_version").get != _VERSION:
                connection.execute(f"{_TABLES} PRAGMA user_version = {_VERSION}")
            known = connection.execute("SELECT directory FROM state").get
            if known != str(directory):
                connection.execute("DELETE FROM studies")
                is_new = not directory.is_dir() or not any(directory.iterdir())
                values = (str(directory), int(is_new))
                connection.execute("UPDATE state SET directory = ?, whole = ?", values)

    def __repr__(self) -> str:
        return f"LocalIndex({str(self.path)!r})"

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Raises SpoolError where it cannot be written; then nothing has changed."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, apsw.Error):
                    raise SpoolError(f"{self.path}: {error}") from error
                raise

    @property
    def is_whole(self) -> bool:
        """Whether it knows all files of its folder."""
        with self._lock:
            return bool(self._connection.execute("SELECT whole FROM state").get)

    def add(self, entry: Entry) -> None:
        """Know an instance whose file was just written; durable when it returns."""
        with self.transaction() as connection:
            # After a reload it may be that of another folder, while deliveries to this one end.
            if connection.execute("SELECT directory FROM state").get == str(self.directory):
                put(connection, entry)

    def forget(self, path: bytes) -> None:
        """There is no such file any more."""
        with self.transaction() as connection:
            for series, uid in connection.execute(
                "SELECT series, sop_instance_uid FROM instances WHERE path = ?", (path,)
            ).fetchall():
                _remove(connection, cast("int", series), cast("str", uid))

    def take_reader(self) -> IndexReader:
        """For one conversation, to be given back: to open one takes longer than a query."""
        with self._reading:
            return self._readers.pop() if self._readers else IndexReader(self.path)

    def give_back(self, reader: IndexReader) -> None:
        with self._reading:
            if len(self._readers) < _IDLE_READERS:
                self._readers.append(reader)
                return
        reader.close()

    def close(self) -> None:
        with self._lock, self._reading:
            self._connection.close()
            while self._readers:
                self._readers.pop().close()


def _connected(path: Path) -> apsw.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(path)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(60_000)  # a rebuild writes beside the router
    # FULL: what the ledger has as delivered must be found after a power failure.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def put(connection: apsw.Connection, entry: Entry) -> None:
    """Write an instance's rows, in place of those it has."""
    round_ = connection.execute("SELECT round FROM state").get
    uid = entry.sop_instance_uid
    before = connection.execute(
        "SELECT series FROM instances WHERE sop_instance_uid = ?", (uid,)
    ).get
    study = _put_study(connection, entry, round_)
    series_uid = entry.text("0020000E")
    values = (study, series_uid, entry.text("00080060"), entry.changed, round_, entry.series)
    connection.execute(_SERIES, values)
    series = connection.execute(
        "SELECT id FROM series WHERE series_instance_uid = ? AND study = ?", (series_uid, study)
    ).get
    connection.execute(
        _INSTANCE,
        (
            *(series, uid, entry.text("00080016"), entry.transfer_syntax, entry.path),
            *(entry.changed, round_, entry.image),
        ),
    )
    if before not in (None, series):
        _remove_empty(connection, cast("int", before))


def _put_study(connection: apsw.Connection, entry: Entry, round_: int) -> int:
    uid = entry.text("0020000D")
    connection.execute(
        _STUDY,
        (
            *(uid, entry.text("00100020"), entry.text("00100021")),
            *(plain_date(entry.text("00100030")), plain_date(entry.text("00080020"))),
            *(entry.text("00080050"), entry.text("00200010")),
            *(entry.changed, round_, entry.study),
        ),
    )
    was_written = connection.changes()
    study = cast(
        "int",
        connection.execute("SELECT id FROM studies WHERE study_instance_uid = ?", (uid,)).get,
    )
    if was_written:
        connection.execute("DELETE FROM names WHERE study = ?", (study,))
        names = {name for name in name_groups(entry.text("00100010")) if name}
        connection.executemany("INSERT INTO names VALUES(?, ?)", [(name, study) for name in names])
    return study


def _remove(connection: apsw.Connection, series: int, sop_instance_uid: str) -> None:
    connection.execute("DELETE FROM instances WHERE sop_instance_uid = ?", (sop_instance_uid,))
    _remove_empty(connection, series)


def _remove_empty(connection: apsw.Connection, series: int) -> None:
    for (study,) in connection.execute(_EMPTY, (series,)).fetchall():
        connection.execute(_EMPTY_STUDY, (study,))
