"""Attribute matching, clause by clause of PS3.4 C.2.2.2; and that an index leaves nothing out."""

import itertools
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword

from router.dataset import Scan, attributes, encode_attributes, scan_segments
from router.query.answering import Question
from router.query.matching import matches
from router.spool import IndexReader, LocalIndex, entry_of

EXPLICIT = "1.2.840.10008.1.2.1"


def element(keyword: str, value) -> dict:
    """As `attributes` has it: text with backslashes between values, or items."""
    vr = dictionary_VR(keyword)
    tag = f"{tag_for_keyword(keyword):08X}"
    if vr == "SQ":
        return {tag: (vr, [dict_of(item) for item in value])}
    return {tag: (vr, value.split("\\") if value else [])}


def dict_of(values: dict) -> dict:
    return {tag: value for key, text in values.items() for tag, value in element(key, text).items()}


SINGLE = [
    ("PatientID", "17", "17", True),
    ("PatientID", "17", "170", False),
    ("PatientID", "a1", "A1", False),  # only names ignore case
    ("PatientID", "17", "", False),
    ("AccessionNumber", "A 1", "A 1", True),
    ("ImageType", "PRIMARY", "ORIGINAL\\PRIMARY\\AXIAL", True),  # any of several values
    ("ModalitiesInStudy", "CT\\MR", "MR", True),
    ("StudyInstanceUID", "1.2", "1.2.3", False),
    ("StudyInstanceUID", "1.2\\1.3", "1.3", True),  # list of UIDs
    ("StudyInstanceUID", "1.2\\1.3", "1.4", False),
    ("StudyInstanceUID", "1.*", "1.2", False),  # no wildcards in UIDs
    ("InstanceNumber", "7", "07", True),  # a number, whatever its zeros
    ("InstanceNumber", "7*", "71", False),
    ("PatientAge", "04*", "042Y", False),
    ("Rows", "512", "512", True),
    ("PatientComments", "a\\b", "a\\b", True),
]
UNIVERSAL = [
    ("PatientID", "", "", True),
    ("PatientID", "*", "", True),
    ("PatientID", "**", "x", True),
    ("StudyDate", "", "", True),
    ("PatientID", "?", "", False),
]
WILDCARDS = [
    ("PatientID", "1*", "1", True),
    ("PatientID", "1*9", "1239", True),
    ("PatientID", "1?3", "123", True),
    ("PatientID", "1?3", "13", False),
    ("PatientID", "*", "anything", True),
    ("PatientID", "[1]*", "1", False),
    ("PatientID", "[1]*", "[1]2", True),
    ("StudyDescription", "*chest*", "CT chest", True),
    ("StudyDescription", "*CHEST*", "CT chest", False),
    ("Modality", "C?", "CT", True),
    ("RetrieveAETitle", "PA*", "PACS", True),
]
NAMES = [
    ("PatientName", "doe^jane", "DOE^Jane", True),
    ("PatientName", "Doe^Jane", "Doe^Jane^^^", True),
    ("PatientName", "Doe^Jane", "Doe ^ Jane", True),
    ("PatientName", "Doe", "Doe^Jane", False),
    ("PatientName", "Doe*", "Doe^Jane", True),
    ("PatientName", "Doe^*", "Doe", True),
    ("PatientName", "Doe^*", "Doer^Jane", False),
    ("PatientName", "*^Jane", "Doe^Jane", True),
    ("PatientName", "D?e^J*", "doe^jane^q", True),
    ("PatientName", "Muller*", "Müller^Ülrike", True),
    ("PatientName", "MÜLLER^*", "Muller^U", True),
    ("PatientName", "Yamada*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("PatientName", "山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("PatientName", "=山田^太郎", "Yamada^Tarou=山田^太郎", True),
    ("PatientName", "=Yamada*", "Yamada^Tarou=山田^太郎", False),
    ("PatientName", "Yamada*=山本*", "Yamada^Tarou=山田^太郎", False),
]
RANGES = [
    ("StudyDate", "20240229", "20240229", True),
    ("StudyDate", "20240229", "2024.02.29", True),  # as ACR-NEMA wrote it
    ("StudyDate", "20240101-20241231", "20240101", True),
    ("StudyDate", "20240101-20241231", "20241231", True),
    ("StudyDate", "20240101-20241231", "20250101", False),
    ("StudyDate", "20240101-", "20991231", True),
    ("StudyDate", "-20240101", "20240101", True),
    ("StudyDate", "-20240101", "20240102", False),
    ("StudyDate", "20240101-", "", False),
    ("StudyDate", "20240101-", "unknown", False),
    ("StudyDate", "2024*", "20240101", False),  # no wildcards in dates
    ("StudyTime", "2230", "223000", True),  # by meaning, not by text
    ("StudyTime", "223000", "223000.000000", True),
    ("StudyTime", "10-12", "113000", True),
    ("StudyTime", "10-12", "125959.999", True),  # all that "12" may mean
    ("StudyTime", "10-12", "13", False),
    ("StudyTime", "0900-", "085959", False),
    ("StudyTime", "-0900", "08:59:59", True),
    ("AcquisitionDateTime", "19980128103000", "19980128103000.0000", True),
    ("AcquisitionDateTime", "20240101-20240131", "20240131235959", True),
    ("AcquisitionDateTime", "202401-202402", "20240229", True),
    ("AcquisitionDateTime", "202401-202402", "20240301", False),
    ("AcquisitionDateTime", "20240101120000+0000", "20240101130000+0100", True),
    ("AcquisitionDateTime", "20240101120000-0500", "20240101120000-0500", True),
    ("AcquisitionDateTime", "20240101120000+0000-", "20240101130000+0200", False),
    ("AcquisitionDateTime", "-20240101120000+0000", "20240101130000+0200", True),
]


@pytest.mark.parametrize(
    ("keyword", "key", "value", "expected"),
    [*SINGLE, *UNIVERSAL, *WILDCARDS, *NAMES, *RANGES],
    ids=lambda each: each if isinstance(each, str) and each.isascii() else None,
)
def test_a_key_matches_what_the_standard_says(keyword, key, value, expected):
    assert matches(element(keyword, key), element(keyword, value)) is expected


@given(key=st.text("ab*?[]", max_size=5), value=st.text("ab[]", min_size=1, max_size=5))
def test_wildcards_are_asterisk_and_question_mark_only(key, value):
    expected = not key or fnmatchcase(value, key.replace("[", "[[]"))
    assert matches(element("PatientID", key), element("PatientID", value)) is expected


STEP = {"Modality": "CT", "ScheduledStationAETitle": "CT1"}
OTHER_STEP = {"Modality": "MR", "ScheduledStationAETitle": "MR1"}


@pytest.mark.parametrize(
    ("item", "steps", "expected"),
    [
        ([], [], True),  # of no length: universal
        ([{}], [STEP], True),
        ([{"Modality": ""}], [], True),
        ([{"Modality": "CT"}], [OTHER_STEP, STEP], True),
        ([{"Modality": "CT", "ScheduledStationAETitle": "CT*"}], [STEP], True),
        ([{"Modality": "CT", "ScheduledStationAETitle": "MR1"}], [STEP, OTHER_STEP], False),
        ([{"Modality": "CT"}], [], False),
    ],
)
def test_a_sequence_matches_if_one_item_matches_all_keys(item, steps, expected):
    key = element("ScheduledProcedureStepSequence", item)
    assert matches(key, element("ScheduledProcedureStepSequence", steps)) is expected


def test_what_an_entity_does_not_have_matches_no_value():
    assert not matches(element("PatientID", "1"), {})
    assert matches(element("PatientID", ""), {})


@pytest.mark.parametrize(
    ("offset", "dates", "expected"),
    [
        ("+0000", "20240102", False),  # 23:30 of the day before
        ("+0000", "20240101", True),
        ("+0100", "20240102", True),  # as it was stored
        ("", "20240102", True),
    ],
)
def test_dates_are_those_of_the_time_zone_of_the_query(offset, dates, expected):
    study = {"StudyDate": "20240102", "StudyTime": "003000", "TimezoneOffsetFromUTC": "+0100"}
    keys = {"StudyDate": dates, "TimezoneOffsetFromUTC": offset}
    assert matches(dict_of(keys), dict_of(study)) is expected


# PS3.4 C.2.2.2.5.4: dates, times, and whether they match one by one and together.
TOGETHER = [
    ("20060705-20060707", "1000-1800", "20060705", "100000", True, True),
    ("20060705-20060707", "1000-1800", "20060706", "030000", False, True),
    ("20060705-20060707", "1000-1800", "20060706", "235959.9", False, True),
    ("20060705-20060707", "1000-1800", "20060705", "095959", False, False),
    ("20060705-20060707", "1000-1800", "20060707", "180059", True, True),  # all that 1800 means
    ("20060705-20060707", "1000-1800", "20060707", "180100", False, False),
    ("20060705-", "1000-", "20060708", "0100", False, True),
    ("20060705-", "1000-", "20060705", "0959", False, False),
    ("-20060705", "-1000", "20060704", "2300", False, True),
    ("-20060705", "-1000", "20060705", "1101", False, False),
    ("2006.07.05-2006.07.07", "10:00-18:00", "2006.07.06", "03:00:00", False, True),
    ("20060705-", "-1000", "20060708", "0900", True, True),  # other ends: two keys
    ("20060705-", "-1000", "20060708", "1101", False, False),
    ("20060705-20060707", "", "20060706", "0300", True, True),
    ("20060706", "1000-1800", "20060706", "1200", True, True),
    ("20060705-20060707", "1000-1800", "20060706", "", False, False),
    ("20060705-20060707", "1000-1800", "", "1200", False, False),
    ("20060705-20060707", "10-18-20", "20060706", "1200", False, False),
]


@pytest.mark.parametrize(("dates", "times", "date", "time", "apart", "together"), TOGETHER)
def test_a_range_of_dates_and_one_of_times_are_one_where_that_is_agreed(
    dates, times, date, time, apart, together
):
    keys = dict_of({"StudyDate": dates, "StudyTime": times})
    study = dict_of({"StudyDate": date, "StudyTime": time})
    assert matches(keys, study) is apart
    assert matches(keys, study, together=True) is together


def test_ranges_in_a_sequence_are_one_too_and_in_the_time_zone_of_the_query():
    step = {"ScheduledProcedureStepStartDate": "20240102", "ScheduledProcedureStepStartTime": "03"}
    ranges = {
        "ScheduledProcedureStepStartDate": "20240101-20240103",
        "ScheduledProcedureStepStartTime": "10-18",
    }
    steps = "ScheduledProcedureStepSequence"
    assert not matches(element(steps, [ranges]), element(steps, [step]))
    assert matches(element(steps, [ranges]), element(steps, [step]), together=True)
    study = {"StudyDate": "20240102", "StudyTime": "003000", "TimezoneOffsetFromUTC": "+0100"}
    keys = {"StudyDate": "20240101-20240101", "StudyTime": "2300-2345"}
    assert not matches(dict_of(keys), dict_of(study), together=True)
    keys["TimezoneOffsetFromUTC"] = "+0000"
    assert matches(dict_of(keys), dict_of(study), together=True)


def scanned(values: dict) -> Scan:
    encoded = encode_attributes({**dict_of(values), "00080005": ("CS", ["ISO_IR 192"])})
    return scan_segments([encoded], EXPLICIT)


def indexed(directory: Path, instances: list[dict]) -> LocalIndex:
    index = LocalIndex(directory / "index.db", directory / "files")
    for number, values in enumerate(instances):
        path = f"{number}".encode()
        uid = values["SOPInstanceUID"]
        index.add(entry_of(scanned(values), path, number, uid, EXPLICIT))
    return index


def ask(index: LocalIndex, level: str, keys: dict) -> list[dict]:
    reader = IndexReader(index.path)
    answers = Question(level, dict_of(keys), "HERE").answers(reader)
    found = [
        attributes(scan_segments([each], EXPLICIT).assuming("ISO_IR 192"))
        for each in answers
        if each is not None
    ]
    reader.close()
    return found


def texts(answers: list[dict], keyword: str) -> list[str]:
    tag = f"{tag_for_keyword(keyword):08X}"
    return ["\\".join(answer[tag][1]) for answer in answers]


NAME = st.sampled_from(
    ["DOE^JANE", "Doe^John", "doe", "Müller^U", "MULLER", "山田^太郎", "", "D^J^Q"]
)
DATE = st.sampled_from(["20231231", "20240101", "2024.01.02", "20250630", "", "unknown"])
TEXT = st.sampled_from(["A1", "A12", "a1", "B[1]", "A*1", "", "1"])
STUDY = st.fixed_dictionaries(
    {
        "PatientName": NAME,
        "PatientID": TEXT,
        "IssuerOfPatientID": st.sampled_from(["", "H"]),
        "StudyDate": DATE,
        "PatientBirthDate": DATE,
        "AccessionNumber": TEXT,
        "StudyID": TEXT,
        "modalities": st.lists(st.sampled_from(["CT", "MR", "SR"]), min_size=1, max_size=3),
    }
)
PATTERN = st.sampled_from(
    ["A1", "A*", "?1", "*1*", "B[1]", "[AB]*", "*", "", "a1", "A1\\B[1]", "A*\\1"]
)
DATES = st.sampled_from(["20240101", "20240101-", "-20240101", "20231231-20240102", "", "2024*"])
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "PatientName": st.sampled_from(
            ["doe*", "DOE^JANE", "*^J*", "doe^*", "MÜLLER*", "山*", "D?E", "*", "", "doe*=x", "^*"]
        ),
        "PatientID": PATTERN,
        "StudyDate": DATES,
        "PatientBirthDate": DATES,
        "AccessionNumber": PATTERN,
        "StudyID": PATTERN,
        "ModalitiesInStudy": st.sampled_from(["CT", "C*", "MR\\SR", "", "XX"]),
        "TimezoneOffsetFromUTC": st.sampled_from(["", "+0100"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(studies=st.lists(STUDY, max_size=6), questions=st.lists(KEYS, min_size=1, max_size=4))
def test_an_index_finds_what_looking_at_everything_finds(studies, questions, tmp_path_factory):
    instances, everything = [], []
    numbers = itertools.count(1)
    for number, study in enumerate(studies, 1):
        modalities = list(dict.fromkeys(study.pop("modalities")))
        values = {**study, "StudyInstanceUID": f"1.{number}"}
        everything.append({**values, "ModalitiesInStudy": "\\".join(modalities)})
        instances += [
            {
                **values,
                "Modality": modality,
                "SeriesInstanceUID": f"2.{number}.{series}",
                "SOPInstanceUID": f"3.{next(numbers)}",
            }
            for series, modality in enumerate(modalities, 1)
        ]
    index = indexed(tmp_path_factory.mktemp("index"), instances)
    for keys in questions:
        answers = ask(index, "STUDY", {**keys, "StudyInstanceUID": ""})
        expected = [
            study["StudyInstanceUID"]
            for study in everything
            if matches(dict_of(keys), dict_of(study))
        ]
        assert sorted(texts(answers, "StudyInstanceUID")) == sorted(expected), keys
    index.close()
