"""The ledger's tables, and how connections to them are opened.

Text that many instances share lies once in `associations` and `series`. A state's rows are found
through an index of that state only (`deliveries_queued`...), so what is done costs nothing.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from router.spool.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 7

# `quiet` is in microseconds, `together`: the study's deliveries wait for it to be complete.
STUDIES = """
CREATE TABLE studies(
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, study_instance_uid TEXT NOT NULL,
    state TEXT NOT NULL, late INTEGER NOT NULL, together INTEGER NOT NULL, quiet INTEGER NOT NULL,
    due INTEGER NOT NULL, told TEXT, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT, plugin TEXT,
    changed INTEGER NOT NULL);
CREATE INDEX studies_study ON studies(study_instance_uid, route);
CREATE INDEX studies_gathering ON studies(due) WHERE state = 'gathering';
CREATE INDEX studies_complete ON studies(due) WHERE state = 'complete';
CREATE INDEX studies_ended ON studies(changed) WHERE state IN ('told', 'empty');
CREATE TABLE gathered(copy INTEGER PRIMARY KEY, study INTEGER NOT NULL, instance INTEGER NOT NULL);
CREATE INDEX gathered_study ON gathered(study);
CREATE INDEX gathered_instance ON gathered(instance);
"""

# What somebody retrieves through the router; `retrieved` are the instances of those still open.
RETRIEVES = """
CREATE TABLE retrieves(
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL,
    opened INTEGER NOT NULL, closed INTEGER, status INTEGER, completed INTEGER, failed INTEGER,
    comment TEXT);
CREATE INDEX retrieves_open ON retrieves(id) WHERE closed IS NULL;
CREATE INDEX retrieves_closed ON retrieves(closed) WHERE closed IS NOT NULL;
CREATE TABLE retrieved(
    retrieve INTEGER NOT NULL, instance INTEGER NOT NULL, PRIMARY KEY(retrieve, instance)
) WITHOUT ROWID;
"""

# Times are microseconds since 1970 UTC; `changed` is when a row came into its state. Copies of an
# instance are in the order of their routes by id. A changed copy has all its own columns from
# segments to series_instance_uid, an unchanged one none. A delivery that waits for its next try is
# `waiting`, in reports `queued`; its `study` is the received one's. A `study` is the id of its
# first series, so that studies have the order in which they began to arrive. `content` is the hash
# of a changed copy. A delivery is `behind` the one that goes first, or that it is the same as.
TABLES = f"""
CREATE TABLE associations(
    id INTEGER PRIMARY KEY, calling_ae_title TEXT NOT NULL, called_ae_title TEXT NOT NULL,
    address TEXT NOT NULL, listener TEXT NOT NULL, peer TEXT, tls_subject TEXT, user TEXT,
    started INTEGER NOT NULL);

CREATE TABLE series(
    id INTEGER PRIMARY KEY, study_instance_uid TEXT NOT NULL, series_instance_uid TEXT NOT NULL,
    patient_id TEXT NOT NULL, accession_number TEXT NOT NULL, study INTEGER NOT NULL);
CREATE INDEX series_study ON series(study_instance_uid);
CREATE INDEX series_series ON series(series_instance_uid);
CREATE INDEX series_patient ON series(patient_id);
CREATE INDEX series_accession ON series(accession_number);

CREATE TABLE instances(
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, received INTEGER NOT NULL,
    association INTEGER NOT NULL, series INTEGER NOT NULL, generation INTEGER NOT NULL,
    sop_class_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, transfer_syntax TEXT NOT NULL,
    path TEXT, offset INTEGER NOT NULL, length INTEGER NOT NULL, bulk BLOB NOT NULL, problem TEXT,
    digest BLOB, originator TEXT, originator_message INTEGER, changed INTEGER,
    reason TEXT, answer INTEGER);
CREATE INDEX instances_series ON instances(series);
CREATE INDEX instances_association ON instances(association);
CREATE INDEX instances_sop ON instances(sop_instance_uid);
CREATE INDEX instances_path ON instances(path) WHERE path IS NOT NULL;
CREATE INDEX instances_gone ON instances(received) WHERE path IS NULL;
CREATE INDEX instances_held ON instances(received) WHERE state = 'held';
CREATE INDEX instances_released ON instances(received) WHERE state = 'released';

CREATE TABLE files(path TEXT PRIMARY KEY, accepted INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE copies(
    id INTEGER PRIMARY KEY, instance INTEGER NOT NULL, route TEXT NOT NULL, state TEXT NOT NULL,
    destinations TEXT NOT NULL, segments BLOB, size INTEGER, transfer_syntax TEXT,
    sop_class_uid TEXT, sop_instance_uid TEXT, study_instance_uid TEXT, series_instance_uid TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, retry_at INTEGER, changed INTEGER,
    reason TEXT, plugin TEXT, hook TEXT, notes TEXT, priority INTEGER NOT NULL DEFAULT 0,
    content BLOB);
CREATE INDEX copies_instance ON copies(instance);
CREATE INDEX copies_received ON copies(priority DESC, instance) WHERE state = 'received';
CREATE INDEX copies_held ON copies(retry_at) WHERE state = 'held';
CREATE INDEX copies_sop ON copies(sop_instance_uid) WHERE sop_instance_uid IS NOT NULL;
CREATE INDEX copies_study ON copies(study_instance_uid) WHERE study_instance_uid IS NOT NULL;

CREATE TABLE deliveries(
    id INTEGER PRIMARY KEY, instance INTEGER NOT NULL, copy INTEGER NOT NULL,
    study INTEGER NOT NULL, destination TEXT NOT NULL, state TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0, due INTEGER, first_queued INTEGER NOT NULL,
    size INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0, changed INTEGER, reason TEXT, note TEXT,
    behind INTEGER);
CREATE INDEX deliveries_instance ON deliveries(instance);
CREATE INDEX deliveries_queued ON deliveries(destination, priority DESC, study)
    WHERE state = 'queued';
CREATE INDEX deliveries_waiting ON deliveries(destination, due) WHERE state = 'waiting';
CREATE INDEX deliveries_held ON deliveries(destination) WHERE state = 'held';
CREATE INDEX deliveries_behind ON deliveries(behind) WHERE behind IS NOT NULL;

CREATE TABLE attempts(
    delivery INTEGER NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL,
    outcome TEXT NOT NULL, status INTEGER, comment TEXT NOT NULL, retry_at INTEGER,
    destination TEXT,
    PRIMARY KEY(delivery, number)) WITHOUT ROWID;

CREATE TABLE done(instance INTEGER PRIMARY KEY, time INTEGER NOT NULL);
CREATE INDEX done_time ON done(time);

CREATE TABLE destinations(
    name TEXT PRIMARY KEY, paused INTEGER NOT NULL DEFAULT 0, last_success INTEGER,
    failing_since INTEGER, last_status INTEGER, last_comment TEXT NOT NULL DEFAULT '');

CREATE TABLE refusals(
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL, listener TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL, address TEXT NOT NULL, sop_instance_uid TEXT NOT NULL,
    status INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE INDEX refusals_time ON refusals(time);
CREATE INDEX refusals_sop ON refusals(sop_instance_uid);

{STUDIES}{RETRIEVES}
CREATE TABLE totals(instances INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES(0, 0);
"""

# What makes an older version's tables those above.
MIGRATIONS = {
    1: """
CREATE TABLE files(path TEXT PRIMARY KEY, accepted INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO files SELECT path, max(offset + length) FROM instances WHERE path IS NOT NULL
    GROUP BY path;
ALTER TABLE series ADD COLUMN study INTEGER NOT NULL DEFAULT 0;
UPDATE series SET study = (
    SELECT min(id) FROM series AS one WHERE one.study_instance_uid = series.study_instance_uid);
ALTER TABLE copies ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries RENAME COLUMN series TO study;
ALTER TABLE deliveries ADD COLUMN note TEXT;
ALTER TABLE attempts ADD COLUMN destination TEXT;
UPDATE deliveries SET study = (SELECT study FROM series WHERE id = deliveries.study)
    WHERE state IN ('queued', 'waiting', 'held');
DROP INDEX copies_received;
CREATE INDEX copies_received ON copies(priority DESC, instance) WHERE state = 'received';
DROP INDEX deliveries_queued;
CREATE INDEX deliveries_queued ON deliveries(destination, priority DESC, study)
    WHERE state = 'queued';
""",
    2: """
ALTER TABLE copies ADD COLUMN content BLOB;
ALTER TABLE deliveries ADD COLUMN behind INTEGER;
CREATE INDEX deliveries_behind ON deliveries(behind) WHERE behind IS NOT NULL;
""",
    3: "ALTER TABLE instances ADD COLUMN answer INTEGER;",
    4: STUDIES,
    # What arrives again counts as another version once: it is not the hash it was.
    5: "ALTER TABLE instances RENAME COLUMN sha256 TO digest;",
    6: RETRIEVES,
}


Row = tuple[Any, ...]


def fetch(connection: apsw.Connection, query: str, values: apsw.Bindings = ()) -> list[Row]:
    """All rows of a query."""
    return connection.execute(query, values).fetchall()


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Raises SpoolError, which says what to do, where SQLite finds the ledger damaged."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise SpoolError(
            f"{path} is damaged ({error}): stop the router and restore it from a backup, or move "
            f"{path.name}* away, and what is still in the spool is recorded anew and sent again"
        ) from error


def open_writer(path: Path) -> apsw.Connection:
    """The one connection that writes, its tables made or checked."""
    create_private(path)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(200)  # only ever waits for readers, in a checkpoint
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",  # the writer itself syncs the WAL, after commits or a little later
        "wal_autocheckpoint = 0",
        "cache_size = -65536",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    version = connection.execute("PRAGMA user_version").get
    if version > VERSION:
        connection.close()
        raise SpoolError(
            f"{path} has schema {version} and this version of the router reads {VERSION}: "
            "run the version that wrote it"
        )
    steps = "".join(MIGRATIONS[step] for step in range(version, VERSION)) if version else TABLES
    connection.execute(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT")
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, and neither blocks the writer nor waits for it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def create_private(path: Path) -> None:
    """SQLite gives its -wal and -shm files the mode of the database."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
