"""Looking things up in a local index: entries that may match, counts, and where the files are."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from router.spool.index_entry import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.dataset import Attributes
    from router.spool.index_keys import Narrowing

_AT_ONCE = 100  # entries read at a time: a slow requestor must not keep a transaction open
_JOINS = {
    "PATIENT": "studies",
    "STUDY": "studies",
    "SERIES": "series JOIN studies ON studies.id = series.study",
    "IMAGE": "instances JOIN series ON series.id = instances.series "
    "JOIN studies ON studies.id = series.study",
}
_ENTRY = {"PATIENT": "studies", "STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}
_TEXTS = {
    "PATIENT": "studies.attributes",
    "STUDY": "studies.attributes",
    "SERIES": "studies.attributes, series.attributes",
    "IMAGE": "studies.attributes, series.attributes, instances.attributes",
}
# Columns of an upper level that has several of a lower one.
_EXISTS = {
    "names.name": "studies.id IN (SELECT study FROM names WHERE {})",
    "series.modality": "studies.id IN (SELECT study FROM series WHERE {})",
}


# What is counted for an answer, not stored: its VR, and by which of study, patient or series.
_PATIENTS = (
    "FROM studies AS own JOIN studies ON studies.patient_id = own.patient_id "
    "AND studies.issuer = own.issuer AND (own.patient_id <> '' OR studies.id = own.id)"
)
_SERIES_OF = "JOIN series ON series.study = studies.id"
_INSTANCES_OF = "JOIN instances ON instances.series = series.id"
_COMPUTED = {
    "00080061": ("CS", "SELECT DISTINCT modality FROM series WHERE study = ? AND modality <> ''"),
    "00080062": (
        "UI",
        f"SELECT DISTINCT sop_class_uid FROM series {_INSTANCES_OF} WHERE study = ?",
    ),
    "00201200": ("IS", f"SELECT count(*) {_PATIENTS} WHERE own.id = ?"),
    "00201202": ("IS", f"SELECT count(*) {_PATIENTS} {_SERIES_OF} WHERE own.id = ?"),
    "00201204": (
        "IS",
        f"SELECT count(*) {_PATIENTS} {_SERIES_OF} {_INSTANCES_OF} WHERE own.id = ?",
    ),
    "00201206": ("IS", "SELECT count(*) FROM series WHERE study = ?"),
    "00201208": ("IS", f"SELECT count(*) FROM series {_INSTANCES_OF} WHERE study = ?"),
}
_OF_SERIES = "SELECT count(*) FROM instances WHERE series = "
_COMPUTED_OF_ENTRY = {
    ("SERIES", "00201209"): ("IS", f"{_OF_SERIES}?"),
    ("IMAGE", "00201209"): ("IS", f"{_OF_SERIES}(SELECT series FROM instances WHERE id = ?)"),
    ("IMAGE", "00083002"): ("UI", "SELECT transfer_syntax FROM instances WHERE id = ?"),
}
COMPUTED = {
    "PATIENT": {"00201200", "00201202", "00201204"},
    "STUDY": {*_COMPUTED},
    "SERIES": {*_COMPUTED, "00201209"},
    "IMAGE": {*_COMPUTED, "00201209", "00083002"},
}


class Candidate(NamedTuple):
    """What may match: its attributes, those of the levels above included."""

    id: int
    study: int
    attributes: Attributes


class IndexedFile(NamedTuple):
    """A file that a retrieve wants; `path` is below the folder."""

    path: bytes
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str


class IndexReader:
    """One conversation's; used by one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(5000)
        self._connection.execute("PRAGMA query_only = 1")

    @property
    def is_whole(self) -> bool:
        """Whether it knows all files of its folder, so that what is not found is not there."""
        return bool(self._connection.execute("SELECT whole FROM state").get)

    @property
    def directory(self) -> str:
        """The folder that it is of."""
        return str(self._connection.execute("SELECT directory FROM state").get)

    def candidates(self, level: str, narrowing: Narrowing) -> Iterator[Candidate]:
        """What may be an answer at a level (PATIENT: the patient's studies, newest first)."""
        where, values = _where(level, narrowing)
        entry = _ENTRY[level]
        order = "patient_id, issuer, changed DESC" if level == "PATIENT" else f"{entry}.id"
        rows = self._connection.execute(
            f"SELECT {entry}.id FROM {_JOINS[level]} {where} ORDER BY {order}", values
        )
        ids = array("q", (id_ for (id_,) in rows))
        for start in range(0, len(ids), _AT_ONCE):
            some = tuple(ids[start : start + _AT_ONCE])
            marks = ",".join("?" * len(some))
            several = self._connection.execute(
                f"SELECT {entry}.id, studies.id, {_TEXTS[level]} "
                f"FROM {_JOINS[level]} WHERE {entry}.id IN ({marks})",
                some,
            ).fetchall()
            found: dict[int, tuple[Any, ...]] = {row[0]: row for row in several}  # type: ignore[misc]
            for id_ in some:
                if id_ in found:  # and was not removed meanwhile
                    _, study, *texts = found[id_]
                    yield Candidate(id_, study, decoded(*texts))

    def computed(self, level: str, candidate: Candidate, tag: str) -> tuple[str, list[str]]:
        """An attribute in `COMPUTED`: its VR and texts."""
        id_ = candidate.study
        found = _COMPUTED.get(tag)
        if found is None:
            found, id_ = _COMPUTED_OF_ENTRY[level, tag], candidate.id
        vr, query = found
        return vr, [str(text) for (text,) in self._connection.execute(query, (id_,))]

    def files(self, narrowing: Narrowing) -> list[IndexedFile]:
        """What a retrieve wants, series by series."""
        where, values = _where("IMAGE", narrowing)
        rows = self._connection.execute(
            "SELECT instances.path, sop_class_uid, sop_instance_uid, transfer_syntax "
            f"FROM {_JOINS['IMAGE']} {where} ORDER BY series.id, instances.id",
            values,
        )
        return [IndexedFile(*row) for row in rows]

    def close(self) -> None:
        self._connection.close()


def _where(level: str, narrowing: Narrowing) -> tuple[str, list[str]]:
    clauses: list[str] = []
    values: list[str] = []

    def add(column: str, clause: str, *given: str) -> None:
        has_own = column.startswith("series.") and level in ("SERIES", "IMAGE")
        clauses.append(clause if has_own else _EXISTS.get(column, "{}").format(clause))
        values.extend(given)

    for column, texts in narrowing.equal.items():
        add(column, f"{column} IN ({','.join('?' * len(texts))})", *texts)
    for column, pattern in narrowing.like.items():
        add(column, f"{column} GLOB ?", pattern.replace("[", "[[]"))
    for column, (first, last) in narrowing.between.items():
        add(column, f"{column} BETWEEN ? AND ?", first or "0", last or "99999999")
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), values
