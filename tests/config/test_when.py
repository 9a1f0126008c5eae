"""Conditions: how they are read, and what each test of a value takes."""

import math
from datetime import time
from pathlib import Path

import pytest

from router.config import ConfigError, compile_when
from router.config import when as w
from router.config.measures import UTC_VR
from router.config.mistakes import Position

FIRST_OF_2020 = 20200101000000_000000
LAST_OF_2021 = 20211231235959_999999


def only(when):
    """The tests of the only condition."""
    (condition,) = when.conditions
    return condition.tests


def test_conditions_nest(route_when):
    when = route_when(
        "Modality: [CT, MR]\n"
        "not: {BodyPartExamined: HEAD}\n"
        "any:\n"
        "  - {PatientSex: F}\n"
        "  - {PatientSex: O, all: {PatientID: A, PatientName: B}}\n"
    )
    modality, negated, either = when.conditions
    assert (modality.path.text, modality.text) == ("Modality", "Modality: [CT, MR]")
    assert modality.tests == (w.Text("CT"), w.Text("MR"))
    assert str(modality.position) == "config.yaml:6:7"
    assert isinstance(negated.condition, w.All)
    first, second = either.conditions
    assert isinstance(either, w.Any_)
    assert len(first.conditions) == 1
    assert [type(condition) for condition in second.conditions] == [w.Element, w.All]


def test_any_of_a_mapping_is_any_of_its_conditions(route_when):
    (either,) = route_when("any: {Modality: CT, PatientSex: F}").conditions
    assert [condition.path.text for condition in either.conditions] == ["Modality", "PatientSex"]


def test_no_conditions_always_apply(route_when):
    assert route_when("{}") == w.All(())


@pytest.mark.parametrize(
    ("condition", "tests"),
    [
        ("SliceThickness: '<= 1.5'", (w.Number("<=", 1.5, "DS"),)),
        ("SliceThickness: '>-5'", (w.Number(">", -5, "DS"),)),
        ("SeriesNumber: 5", (w.Range(5, 5, "IS"),)),
        ("SeriesNumber: [1-5, 007]", (w.Range(1, 5, "IS"), w.Range(7, 7, "IS"))),
        ("ImagePositionPatient: -5--1", (w.Range(-5, -1, "DS"),)),
        ("ImagePositionPatient: 1e-5-2", (w.Range(1e-5, 2, "DS"),)),
        ("SmallestImagePixelValue: 10-", (w.Range(10, math.inf, "US"),)),
        ("StudyDate: 20200101-20201231", (w.Range(20200101, 20201231, "DA"),)),
        ("StudyDate: 2020-01-31", (w.Range(20200131, 20200131, "DA"),)),
        ("StudyDate: '-20200131'", (w.Range(-math.inf, 20200131, "DA"),)),
        ("StudyTime: 0700-18", (w.Range(70000, 185959.999999, "TM"),)),
        ("StudyTime: '< 12:30'", (w.Number("<", 123000, "TM"),)),
        ("AcquisitionDateTime: 2020-2021", (w.Range(FIRST_OF_2020, LAST_OF_2021, "DT"),)),
        ("AcquisitionDateTime: '> 2021'", (w.Number(">", LAST_OF_2021, "DT"),)),
        ("AcquisitionDateTime: '< 2020010101+0100'", (w.Number("<", FIRST_OF_2020, UTC_VR),)),
        (
            "AcquisitionDateTime: 2019123119-0500-2022010100+0001",
            (w.Range(FIRST_OF_2020, 20220101005859_999999, UTC_VR),),
        ),
        ("PatientAge: '< 018Y'", (w.Number("<", 18 * 365.25, "AS"),)),
        ("StudyDescription: 1-5", (w.Text("1-5"),)),
        ("StudyDescription: '<unknown>'", (w.Text("<unknown>"),)),
        ("'(0029,10,ACME)': '> 5'", (w.Number(">", 5, "DS"),)),
        ("'(0029,10,ACME)': 1-5", (w.Text("1-5"),)),
        ("PatientName: {exists: false}", (w.Exists(False),)),
        ("SOPClassUID: MR Image Storage", (w.Exact("1.2.840.10008.5.1.4.1.1.4"),)),
        ("SOPClassUID: CTImageStorage", (w.Exact("1.2.840.10008.5.1.4.1.1.2"),)),
        ("StudyInstanceUID: '1.2.3.*'", (w.Text("1.2.3.*", exact=True),)),
        ("StationAETitle: CT1", (w.Exact("CT1"),)),
        ("calling_ae_title: [CT1, 'MR*']", (w.Exact("CT1"), w.Text("MR*", exact=True))),
        ("time: 22:00-06:00", (w.TimeOfDay(time(22), time(6)),)),
        ("time: 00:00-24:00", (w.TimeOfDay(time(0), time(0)),)),
        ("time: 18:00-24:00", (w.TimeOfDay(time(18), time(0)),)),
        ("peer: {exists: false}", (w.Exists(False),)),
    ],
)
def test_a_value_is_read_by_the_vr_of_its_element(route_when, condition, tests):
    assert only(route_when(condition)) == tests


@pytest.mark.parametrize(
    ("test", "matching", "others"),
    [
        (w.Text("*RESEARCH*"), ["a research b ", "RESEARCH"], ["RESEACH", ""]),
        (w.Text("HEAD?"), ["head1"], ["HEAD", "HEAD12"]),
        (w.Text("a.b"), ["A.B"], ["axb"]),
        (w.Text("*a*?b*c"), ["xaybzc", "AABBC"], ["abc", "aabb"]),
        (w.Text("*a" * 30 + "*b"), ["a" * 30 + "b"], ["a" * 200]),
        (w.Text("CT*", exact=True), ["CT1", "CT "], ["ct1"]),
        (w.Exact("1.2.3"), ["1.2.3\0", "1.2.3 "], ["1.2.34"]),
        (w.Number("<=", 1.5, "DS"), ["1.5", " 1.50 ", "-3", "1E-2"], ["1.51", "thin", ""]),
        (w.Number("<", 123000, "TM"), ["122959.999999", "12"], ["1230", "123000"]),
        (w.Range(1, 5, "IS"), ["1", "5", "+3"], ["0", "6", "5.5x"]),
        (w.Range(20200101, 20201231, "DA"), ["20200630", "2020.06.30"], ["20210101", "2020"]),
        (
            w.Range(FIRST_OF_2020, LAST_OF_2021, "DT"),
            ["2020", "20200630101500.5+0100", "20211231235959.9", "20211231235959-0500"],
            ["2022", "2019123123", "20191231235959.9-0500", "2020-2021"],
        ),
        (
            w.Range(FIRST_OF_2020, LAST_OF_2021, UTC_VR),
            ["2019123123-0500", "20211231235959.9+0000", "20200101010000+0100"],
            ["2020", "20211231235959-0100", "20200101005959.999999+0100", "20200230+0000"],
        ),
        (w.Number("<", 20200101000000_500000, "DT"), ["20200101000000.49"], ["20200101000000.5"]),
        (w.Number("<", 18 * 365.25, "AS"), ["017Y", "200W", "011M"], ["018Y", "18"]),
        (w.Listed(Path(), "id", frozenset({"a1"})), ["A1 "], ["A2"]),
        (w.Listed(Path(), "uid", frozenset({"1.2"}), exact=True), ["1.2\0"], ["1.20"]),
    ],
)
def test_what_a_test_of_a_value_takes(test, matching, others):
    assert [value for value in matching if not test.matches(value)] == []
    assert [value for value in others if test.matches(value)] == []


def test_an_address_is_in_a_network_whichever_way_it_is_written(route_when):
    (test,) = only(route_when("address: 10.0.0.0/8"))
    assert test.matches("10.1.2.3")
    assert test.matches("::ffff:10.1.2.3")
    assert not test.matches("192.168.0.1")
    assert not test.matches("fe80::1%eth0")


def test_a_time_of_day_ends_before_its_end_and_may_span_midnight():
    day, night = w.TimeOfDay(time(7), time(18)), w.TimeOfDay(time(22), time(6))
    assert [day.includes(time(hour)) for hour in (6, 7, 17, 18)] == [False, True, True, False]
    assert [night.includes(time(hour)) for hour in (21, 22, 5, 6)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("condition", "mistake"),
    [
        ("any: []", "any: an empty list never applies"),
        ("Modality: []", "Modality: an empty list never applies"),
        ("Modality: ''", "Modality: is empty here; {exists: false} asks for what is not there"),
        ("Modality: '!= MR'", "Modality: there is no '!=': put what it should not be under `not:`"),
        ("peer: '!=CT1'", "peer: there is no '!=': put what it should not be under `not:`"),
        ("time: {exists: true}", "time: expected 07:00-18:00, not a mapping"),
        (
            "time: 07:00-07:00",
            "time: '07:00-07:00' has no time between its start and its end",
        ),
        ("SliceThickness: true", 'SliceThickness: is true or false here; quote it: "true"'),
        (
            "SliceThickness: >5",
            "SliceThickness: '>' begins a block of text, and none follows; quote it",
        ),
        ("PatientID: {exists: 1}", "PatientID: exists is true or false"),
        ("not: CT", "not: expected conditions (`Keyword: value`), not CT"),
        (
            "AcquisitionDateTime: 2021-2020",
            "AcquisitionDateTime: '2021-2020' ends before it begins",
        ),
    ],
)
def test_a_condition_that_can_never_be_meant_is_a_mistake(mistakes, condition, mistake):
    (found,) = mistakes(f"routes:\n  - name: a\n    chain: [store]\n    when:\n      {condition}\n")
    assert found.split(": ", 1)[1] == f"routes.a.when.{mistake}"


def test_a_column_of_a_file_is_read_once_with_the_configuration(route_when, tmp_path):
    (tmp_path / "consent.csv").write_text("\ufeffname,id\nA, P1 \nB,p2\nC,\n")
    (test,) = only(route_when("PatientID: {file: consent.csv, column: id}"))
    assert (test.file, test.values) == (tmp_path / "consent.csv", {"p1", "p2"})


def test_rules_given_to_a_plugin_are_read_the_same_way(tmp_path):
    when = compile_when({"Modality": ["CT", "MR"], "SeriesNumber": "<5"}, tmp_path)
    assert [condition.tests for condition in when.conditions] == [
        (w.Text("CT"), w.Text("MR")),
        (w.Number("<", 5, "IS"),),
    ]


def test_mistakes_in_rules_given_to_a_plugin_have_their_places(tmp_path):
    positions = {"": Position("c.yaml", 3, 5), "PatientID.1": Position("c.yaml", 4, 9)}
    with pytest.raises(ConfigError) as caught:
        compile_when(
            {"PatientID": ["A", 12], "Modalty": "CT"},
            tmp_path,
            path="routes.a.chain[0].skip",
            position=Position("c.yaml", 1, 1),
            positions=positions,
        )
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "c.yaml:3:5: routes.a.chain[0].skip.Modalty: Modalty is not a DICOM keyword; "
        "did you mean Modality?",
        'c.yaml:4:9: routes.a.chain[0].skip.PatientID.1: is a number here; quote it: "12"',
    ]
