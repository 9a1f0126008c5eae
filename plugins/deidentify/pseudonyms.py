"""Pseudonyms from a CSV, read again when the file changes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from router import Hold

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS = ("PatientID", "pseudonym")


class Pseudonyms:
    """A table with the columns PatientID and pseudonym; ValueError where it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._table: dict[str, str] = {}
        try:
            self._refresh()
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from None

    def of(self, patient_id: str) -> str:
        """The patient's pseudonym; raises Hold where the table has none, or cannot be read."""
        try:
            self._refresh()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Hold(f"the table of pseudonyms cannot be read: {reason}") from None
        if found := self._table.get(patient_id):
            return found
        raise Hold("the table of pseudonyms has none for this patient: add it, then release this")

    def _refresh(self) -> None:
        status = self._path.stat()
        seen = status.st_mtime_ns, status.st_size, status.st_ino
        if seen != self._seen:
            self._table = self._read()
            self._seen = seen

    def _read(self) -> dict[str, str]:
        with self._path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise ValueError(f"{self._path.name} needs the columns {' and '.join(_COLUMNS)}")
            table: dict[str, str] = {}
            for row in reader:
                patient, pseudonym = ((row[column] or "").strip() for column in _COLUMNS)
                if not patient:
                    continue
                if not pseudonym or len(pseudonym) > 64 or "\\" in pseudonym:
                    raise ValueError(
                        f"{self._path.name}:{reader.line_num}: the pseudonym is empty, longer than "
                        "64 characters or has a backslash"
                    )
                if table.setdefault(patient, pseudonym) != pseudonym:
                    raise ValueError(
                        f"{self._path.name}:{reader.line_num}: the patient has another pseudonym "
                        "further up"
                    )
        _refuse_shared(table, self._path.name)
        return table


def _refuse_shared(table: dict[str, str], name: str) -> None:
    """Two patients of one pseudonym would become one."""
    if len(set(table.values())) < len(table):
        raise ValueError(f"{name}: two patients have the same pseudonym")
