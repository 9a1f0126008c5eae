"""What a local index answers to one C-FIND: which entries it looks at, what it says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.dataset import encode_attributes
from router.query.extended import BASELINE
from router.query.matching import TIMEZONE, in_zone_of, is_universal, matches
from router.query.moments import range_ends
from router.spool import COMPUTED, Narrowing, name_groups, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.dataset import Attributes
    from router.query.extended import Extended
    from router.spool import Candidate, IndexReader

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_LEVEL, _CHARACTER_SET = "00080052", "00080005"
_RETRIEVE_AE_TITLE, _AVAILABILITY = "00080054", "00080056"
_PATIENT_ID, _ISSUER = "00100020", "00100021"
_UTF_8 = ("CS", ["ISO_IR 192"])

# The columns by which an index finds entries faster than by looking at all of them.
_COLUMNS = {
    "0020000D": "studies.study_instance_uid",
    _PATIENT_ID: "studies.patient_id",
    _ISSUER: "studies.issuer",
    "00080050": "studies.accession_number",
    "00200010": "studies.study_id",
    "00080061": "series.modality",
    "0020000E": "series.series_instance_uid",
    "00080060": "series.modality",
    "00080018": "instances.sop_instance_uid",
    "00080016": "instances.sop_class_uid",
}
_DATES = {"00080020": "studies.study_date", "00100030": "studies.birth_date"}
_NAME = "00100010"
UNIQUE_KEYS = {
    "PATIENT": _PATIENT_ID,
    "STUDY": "0020000D",
    "SERIES": "0020000E",
    "IMAGE": "00080018",
}


class Question:
    """A query's keys at a level of an index."""

    def __init__(
        self, level: str, keys: Attributes, ae_title: str, extended: Extended = BASELINE
    ) -> None:
        """`ae_title` is that from which what is found can be retrieved."""
        about = {_LEVEL, _CHARACTER_SET, _RETRIEVE_AE_TITLE}
        self._level = level
        self._ae_title = ae_title
        self._extended = extended
        asked = {tag: key for tag, key in keys.items() if tag not in about}
        self._keys = {tag: key for tag, key in asked.items() if _is_known(level, tag)}
        self.is_all_known = len(self._keys) == len(asked)
        computed = [tag for tag in self._keys if tag in COMPUTED[level]]
        self._matched = [tag for tag in computed if not is_universal(*self._keys[tag])]
        self._returned = [tag for tag in computed if tag not in self._matched]

    def answers(self, reader: IndexReader) -> Iterator[bytes | None]:
        """Identifiers in Explicit VR Little Endian; None for each entry that is none."""
        patients: set[tuple[str, str]] = set()
        for candidate in reader.candidates(self._level, narrowing(self._level, self._keys)):
            entity = {**candidate.attributes, _AVAILABILITY: ("CS", ["ONLINE"])}
            self._compute(self._matched, entity, reader, candidate)
            is_answer = matches(self._keys, entity, together=self._extended.date_times)
            if is_answer and self._level == "PATIENT":
                is_answer = _is_first(candidate, patients)
            if is_answer:
                self._compute(self._returned, entity, reader, candidate)
                if self._extended.time_zones:
                    entity = in_zone_of(self._keys, entity)
            yield self._said(entity) if is_answer else None

    def _compute(
        self, tags: list[str], entity: Attributes, reader: IndexReader, candidate: Candidate
    ) -> None:
        for tag in tags:
            entity[tag] = reader.computed(self._level, candidate, tag)

    def _said(self, entity: Attributes) -> bytes:
        answer: Attributes = {
            tag: _asked_of(key, entity.get(tag, (key[0], []))) for tag, key in self._keys.items()
        }
        answer[_LEVEL] = ("CS", [self._level])
        answer[_RETRIEVE_AE_TITLE] = ("AE", [self._ae_title])
        encoded = encode_attributes(answer)
        if not encoded.isascii():  # which text is only in UTF-8; else a number wastes an element
            answer[_CHARACTER_SET] = _UTF_8
            encoded = encode_attributes(answer)
        return encoded


def wanted(level: str, keys: Attributes) -> Narrowing:
    """What a retrieve names: by the unique keys of its level and of those above."""
    unique = [UNIQUE_KEYS[each] for each in LEVELS[: LEVELS.index(level) + 1]]
    texts = {tag: tuple(filter(None, keys[tag][1])) for tag in unique if tag in keys}
    return Narrowing(equal={_COLUMNS[tag]: some for tag, some in texts.items() if some})


def narrowing(level: str, keys: Attributes) -> Narrowing:
    """The entries that may match; it may be all of them, and never leaves one out."""
    narrow = Narrowing()
    for tag, (vr, asked) in keys.items():
        if is_universal(vr, asked) or vr == "SQ":
            continue
        if tag == _NAME:
            _narrow_name(asked, narrow)
        elif tag in _DATES:
            # In another time zone it may be the day before or after.
            ends = range_ends(asked[0]) if len(asked) == 1 and TIMEZONE not in keys else None
            if ends:
                narrow.between[_DATES[tag]] = ends
        elif tag in _COLUMNS:
            _narrow_text(_COLUMNS[tag], vr, [text for text in asked if text], level, narrow)
    return narrow


def _narrow_text(column: str, vr: str, asked: list[Any], level: str, narrow: Narrowing) -> None:
    if column == "series.modality" and (column in narrow.equal or column in narrow.like):
        return  # Modality and Modalities in Study: of one series, and of any
    if column.startswith("instances.") and level != "IMAGE":
        return
    if vr == "UI" or not any("*" in text or "?" in text for text in asked):
        narrow.equal[column] = tuple(asked)
    elif len(asked) == 1:
        narrow.like[column] = asked[0]


def _narrow_name(asked: list[Any], narrow: Narrowing) -> None:
    groups = name_groups(asked[0])
    if len(asked) > 1 or len(groups) > 1 or not groups[0]:
        return
    pattern = groups[0]
    if pattern.endswith("*"):
        pattern = pattern.rstrip("^*") + "*"  # also names without the last components
    narrow.like["names.name"] = pattern


def _is_known(level: str, tag: str) -> bool:
    """Whether entries of a level have such an attribute; those above are theirs too."""
    if tag == _AVAILABILITY or tag in COMPUTED[level] or level == "IMAGE":
        return True
    above = LEVELS[: LEVELS.index(level) + 1]
    return tag == TIMEZONE or any(tag in tags_of(each) for each in above)


def _is_first(candidate: Candidate, patients: set[tuple[str, str]]) -> bool:
    """The first of a patient's studies; of patients without an ID nobody knows who is who."""
    texts = (candidate.attributes.get(tag, ("", []))[1] for tag in (_PATIENT_ID, _ISSUER))
    patient, issuer = ("\\".join(text) for text in texts)
    if patient and (patient, issuer) in patients:
        return False
    patients.add((patient, issuer))
    return True


def _asked_of(key: tuple[str, list[Any]], value: tuple[str, list[Any]]) -> tuple[str, list[Any]]:
    """A value as it was asked for: of a sequence the attributes that the key's item names."""
    vr, values = value
    _, asked = key
    if vr != "SQ" or not asked or not asked[0]:
        return vr, list(values)
    items = [
        {tag: _asked_of(inner, item.get(tag, (inner[0], []))) for tag, inner in asked[0].items()}
        for item in values
    ]
    return vr, items
