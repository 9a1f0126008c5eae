"""The matches of several upstreams as one answer: same key, one match, the first upstream's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.dataset import parse_path
from router.query.identifier import Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IN_MEMORY = 4 * 1024 * 1024  # bytes of matches, the rest is in a file
_MOST = 256 * 1024 * 1024  # bytes in all: an archive must not fill the disk of the spool
_LONGEST_COUNT = 12  # PS3.5 6.2: IS
_LONGEST = 0xFFFE  # bytes of a value in an element with two bytes of length
_MODALITIES = 0x00080061
_COUNTS = (0x00201200, 0x00201202, 0x00201204, 0x00201206, 0x00201208, 0x00201209)
_MODALITIES_IN_STUDY = parse_path("ModalitiesInStudy")
_COUNT_PATHS = {tag: parse_path(f"({tag >> 16:04X},{tag & 0xFFFF:04X})") for tag in _COUNTS}

PATIENT_ID = parse_path("PatientID")
ISSUER = parse_path("IssuerOfPatientID")
STUDY = parse_path("StudyInstanceUID")
SERIES = parse_path("SeriesInstanceUID")
SOP_INSTANCE = parse_path("SOPInstanceUID")
STEP = parse_path("ScheduledProcedureStepSequence.ScheduledProcedureStepID")

KEYS = {
    "PATIENT": {0x00100020: ("LO", PATIENT_ID), 0x00100021: ("LO", ISSUER)},
    "STUDY": {0x0020000D: ("UI", STUDY)},
    "SERIES": {0x0020000E: ("UI", SERIES)},
    "IMAGE": {0x00080018: ("UI", SOP_INSTANCE)},
    "WORKLIST": {0x0020000D: ("UI", STUDY)},
}


@dataclass(slots=True)
class _Held:
    """Where the match lies that will be sent, and what other upstreams said besides."""

    order: tuple[int, int]  # upstream, arrival
    offset: int
    length: int
    status: int
    others: list[tuple[tuple[int, int], tuple[str, ...], dict[int, int]]] = field(
        default_factory=list
    )


class Merger:
    """Holds every match until all upstreams have answered; its bytes, once many, in a file."""

    def __init__(self, level: str, issuers: list[str | None], directory: Path | None) -> None:
        self._level = level
        self._issuers = issuers
        place = str(directory) if directory else None
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=place)  # noqa: SIM115
        self._end = 0
        self._arrived = 0
        self._held: dict[tuple[str, ...], _Held] = {}

    @property
    def count(self) -> int:
        return len(self._held)

    @property
    def is_full(self) -> bool:
        return self._end > _MOST

    def add(self, upstream: int, match: Identifier, status: int) -> None:
        """A match of the upstream at this place in the list."""
        self._arrived += 1
        order = (upstream, self._arrived)
        key = self._key(upstream, match) or ("", *map(str, order))
        said = (order, match.texts(_MODALITIES_IN_STUDY), _counts(match))
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(order, *self._keep(match), status)
        elif order[0] < held.order[0]:
            held.order = order
            held.offset, held.length = self._keep(match)
        held.status = max(held.status, status)
        if said[1] or said[2]:
            held.others.append(said)

    def matches(self, transfer_syntax: str) -> Iterator[tuple[Identifier, int]]:
        """Everything, in the order of the upstreams, and its pending status."""
        for held in sorted(self._held.values(), key=lambda each: each.order):
            self._file.seek(held.offset)
            match = Identifier(self._file.read(held.length), transfer_syntax)
            yield _joined(match, held), held.status

    def close(self) -> None:
        self._file.close()

    def _keep(self, match: Identifier) -> tuple[int, int]:
        offset = self._end
        self._file.seek(offset)
        self._end += self._file.write(match.data)
        return offset, len(match.data)

    def _key(self, upstream: int, match: Identifier) -> tuple[str, ...] | None:
        """None for what is never taken for the same as another's."""
        match self._level:
            case "PATIENT":
                issuer = match.text(ISSUER) or self._issuers[upstream]
                patient = match.text(PATIENT_ID)
                return ("PATIENT", patient, issuer) if patient and issuer else None
            case "WORKLIST":
                study, step = match.text(STUDY), match.text(STEP)
                return ("WORKLIST", study, step) if study and step else None
            case level:
                ((_, path),) = KEYS[level].values()
                uid = match.text(path)
                return (level, uid) if uid else None


def _counts(match: Identifier) -> dict[int, int]:
    found = {}
    for tag, path in _COUNT_PATHS.items():
        text = match.text(path).strip() if match.has(tag) else ""
        if text.isdecimal() and len(text) <= _LONGEST_COUNT:
            found[tag] = int(text)
    return found


def _joined(match: Identifier, held: _Held) -> Identifier:
    """Modalities of all; of counts, which may be of the same instances, the highest."""
    if len(held.others) < 2:
        return match
    changes: dict[int, tuple[str, str] | None] = {}
    said = sorted(held.others)
    modalities = list(dict.fromkeys(one for _, several, _ in said for one in several))
    joined = "\\".join(modalities)
    if list(match.texts(_MODALITIES_IN_STUDY)) != modalities and len(joined) <= _LONGEST:
        changes[_MODALITIES] = ("CS", joined)
    for tag in _COUNTS:
        highest = max((counts[tag] for _, _, counts in said if tag in counts), default=None)
        if highest is not None:
            changes[tag] = ("IS", str(highest))
    return match.replaced(changes)
