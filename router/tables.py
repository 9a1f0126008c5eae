"""Tables in CSV files that plugins look values up in, read again when the file has changed."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from router.instance import Hold

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

_RETRY = 60.0  # seconds until a copy is tried again that met a table being edited


class Table:
    """A column of a CSV file by another: UTF-8, the first row names the columns.

    `key` and `value` name them, by default the first two. Spaces around values do not count, case
    does. Raises ValueError for a file that is no such table.
    """

    def __init__(self, file: Path, key: str | None = None, value: str | None = None) -> None:
        self._file, self._key, self._value = file, key, value
        try:
            self._read_at, self._rows = _state(file.stat()), self._read()
        except OSError as error:
            raise ValueError(f"{file.name}: {error.strerror}") from None

    def find(self, key: str) -> tuple[str, ...]:
        """The values of the rows with this key, as the file is now; none where it is not in it.

        Raises `Hold` for a file that has been changed into something else than a table: copies
        are tried again a minute later.
        """
        try:
            now = _state(self._file.stat())
            if now != self._read_at:
                self._read_at, self._rows = now, self._read()
        except (OSError, ValueError):
            self._read_at = None
            raise Hold(f"{self._file.name} cannot be read as a table", _RETRY) from None
        return self._rows.get(key.strip(), ())

    @property
    def values(self) -> frozenset[str]:
        """Every value there was when the file was last read."""
        return frozenset(value for values in self._rows.values() for value in values)

    def _read(self) -> Mapping[str, tuple[str, ...]]:
        name = self._file.name
        try:
            with self._file.open(newline="", encoding="utf-8-sig") as lines:
                rows = csv.DictReader(lines, strict=True)
                key, value = self._columns(list(rows.fieldnames or ()))
                found: dict[str, tuple[str, ...]] = {}
                for row in rows:
                    if known := (row[key] or "").strip():
                        found[known] = (*found.get(known, ()), (row[value] or "").strip())
                return found
        except (UnicodeDecodeError, csv.Error):
            raise ValueError(f"{name} is not a CSV file in UTF-8") from None

    def _columns(self, names: list[str]) -> tuple[str, str]:
        if len(names) < 2:
            raise ValueError(f"{self._file.name} needs two columns with names in its first row")
        wanted = self._key or names[0], self._value or names[1]
        for column in wanted:
            if column not in names:
                there = ", ".join(names)
                raise ValueError(f"{self._file.name} has no column '{column}'; it has {there}")
        return wanted


def _state(status: os.stat_result) -> tuple[int, ...] | None:
    """What differs when a file has been written or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
