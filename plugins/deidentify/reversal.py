"""The map that lets what comes back find its patient: encrypted, found by keyed hashes only."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydicom.dataset import Dataset

from router import Hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .surrogates import Surrogates

_ABOUT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime"),
    *("PatientSex", "OtherPatientIDs", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"),
    *("ReferringPhysicianName", "StudyDescription"),
)
_NONCE = 12


def _stand_ins(dataset: Dataset, about: str, uids: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What the UIDs and the pseudonym that are given stand for."""
    rows = [("uid", given, uid) for given, uid in uids.items()]
    pseudonym = str(dataset.get("PatientID") or "")
    return [*rows, ("patient", pseudonym, about)] if pseudonym else rows


class ReversalMap:
    """UIDs and patients by what replaced them, in an SQLite file that worker processes share.

    Rows are encrypted with AES-256-GCM under a key derived from the secret, and bound to theirs.
    """

    def __init__(self, path: Path, surrogates: Surrogates) -> None:
        self._path = path
        self._surrogates = surrogates
        self._cipher = AESGCM(surrogates.key)

    def about(self, dataset: Dataset) -> str:
        """What a data set says of patient and study, as DICOM JSON."""
        kept = Dataset()
        for keyword in _ABOUT:
            if keyword in dataset:
                kept[keyword] = dataset[keyword]
        return str(kept.to_json())

    def remember(self, dataset: Dataset, about: str, uids: Mapping[str, str]) -> None:
        """Make durable what the UIDs given stand for, and whose study it was."""
        study = str(dataset.get("StudyInstanceUID") or "")
        self._keep([*_stand_ins(dataset, about, uids), ("study", study, about)])

    def remember_match(self, match: Dataset, about: str, uids: Mapping[str, str]) -> None:
        """Make durable whom a match is of; of its study it does not say all."""
        self._keep(_stand_ins(match, about, uids))

    def _keep(self, rows: list[tuple[str, str, str]]) -> None:
        with self._opened() as database:
            for kind, given, value in rows:
                key = self._surrogates.digest(f"map {kind}", given)
                database.execute(
                    "INSERT OR IGNORE INTO map VALUES (?, ?)", (key, self._encrypted(key, value))
                )

    def uid(self, given: str) -> str | None:
        """The UID that was replaced by this one, if one was."""
        return self._found("uid", given)

    def study(self, given: str) -> Dataset | None:
        """What is known of the study that has this UID now."""
        found = self._found("study", given)
        return Dataset.from_json(found) if found is not None else None

    def patient(self, given: str) -> Dataset | None:
        """What is known of the patient who has this pseudonym."""
        found = self._found("patient", given)
        return Dataset.from_json(found) if found is not None else None

    def _found(self, kind: str, given: str) -> str | None:
        key = self._surrogates.digest(f"map {kind}", given)
        with self._opened() as database:
            row = database.execute("SELECT value FROM map WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        value: bytes = row[0]
        try:
            return self._cipher.decrypt(value[:_NONCE], value[_NONCE:], key).decode()
        except InvalidTag:
            raise Hold("the map was written with another secret, or has been changed") from None

    def _encrypted(self, key: bytes, value: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value.encode(), key)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=20)) as database:
                database.execute("PRAGMA synchronous = FULL")
                with database:
                    database.execute(
                        "CREATE TABLE IF NOT EXISTS map (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
                        " WITHOUT ROWID"
                    )
                    yield database
            os.chmod(self._path, 0o600)
        except (sqlite3.Error, OSError) as error:
            raise Hold(f"the map cannot be used ({type(error).__name__})", 60) from None
