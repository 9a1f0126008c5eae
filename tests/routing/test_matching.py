"""Which routes an instance takes."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.dataset import Scan
from router.routing import Routes
from router.routing.facts import Facts
from router.routing.matching import glob
from tests.routing.helpers import RECEIVED, association, dataset, read_config, scan_of


def matches(folder: Path, when: str, made: Dataset, **sender: object) -> bool:
    config = read_config(folder, f"routes: [{{name: r, when: {when}, to: [pacs]}}]")
    return bool(Routes(config).match(association(**sender), scan_of(made), RECEIVED))


@pytest.mark.parametrize(
    ("when", "elements", "expected"),
    [
        ('{Modality: CT}', {}, True),
        ('{Modality: ct}', {}, True),
        ('{Modality: MR}', {}, False),
        ('{Modality: [MR, CT]}', {}, True),
        ('{StudyDescription: "*research*"}', {"StudyDescription": "A RESEARCH study"}, True),
        ('{StudyDescription: "research*"}', {"StudyDescription": "A RESEARCH study"}, False),
        ('{StudyDescription: "st?dy"}', {"StudyDescription": " STUDY "}, True),
        ('{StudyDescription: "strasse"}', {"StudyDescription": "Stra\u00dfe"}, True),
        ('{StudyDescription: "*"}', {"StudyDescription": ""}, False),
        ('{StudyDescription: "*"}', {}, False),
        ('{not: {StudyDescription: "*"}}', {}, True),
        ('{not: {StudyDescription: HEAD}}', {"StudyDescription": ""}, True),
        ('{ImageType: "LOCALIZER"}', {"ImageType": ["ORIGINAL", "LOCALIZER"]}, True),
        ('{SliceThickness: "<= 1.5"}', {"SliceThickness": "1.50"}, True),
        ('{SliceThickness: "<= 1.5"}', {"SliceThickness": "10"}, False),
        ('{SliceThickness: "> 0"}', {}, False),
        ('{not: {SliceThickness: "> 0"}}', {}, True),
        ('{StudyDate: "20200101-20201231"}', {"StudyDate": "20200229"}, True),
        ('{StudyDate: "20200101-20201231"}', {"StudyDate": "20210101"}, False),
        ('{Rows: "512"}', {"Rows": 512}, True),
        ('{PatientName: "DOE^JOHN*"}', {"PatientName": "Doe^John^Q"}, True),
        ('{PatientName: "doe^john"}', {"PatientName": "Doe^John^^^"}, True),
        ('{PatientName: "Wang^*"}', {"PatientName": "Doe^John=Wang^Xiao"}, True),
        ('{PatientName: "John*"}', {"PatientName": "Doe^John"}, False),
        ('{PatientID: {exists: true}}', {"PatientID": ""}, True),
        ('{PatientID: {exists: false}}', {}, True),
        ('{SOPClassUID: CT Image Storage}', {}, True),
        ('{StudyInstanceUID: "1.2.3"}', {}, True),
        ('{any: [{Modality: MR}, {Modality: CT}]}', {}, True),
        ('{any: [{Modality: MR}, {Modality: US}]}', {}, False),
        ('{Modality: CT, StudyInstanceUID: "1.9"}', {}, False),
    ],
)  # fmt: skip
def test_a_condition_about_elements(tmp_path, when, elements, expected):
    made = dataset(SpecificCharacterSet="ISO_IR 192", **elements)
    assert matches(tmp_path, when, made) is expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('{calling_ae_title: "CT*"}', True),
        ("{calling_ae_title: ct1}", False),
        ("{called_ae_title: ROUTER}", True),
        ("{address: 10.0.0.0/8}", True),
        ("{address: 192.168.0.0/16}", False),
        ("{listener: radiology}", True),
        ('{time: "14:00-15:00"}', True),
        ('{time: "22:00-06:00"}', False),
        ("{not: {calling_ae_title: MR1}}", True),
    ],
)
def test_a_condition_about_the_association(tmp_path, when, expected):
    config = read_config(
        tmp_path, f"timezone: UTC\nroutes: [{{name: r, when: {when}, to: [pacs]}}]"
    )
    found = Routes(config).match(association(), scan_of(dataset()), RECEIVED)
    assert bool(found) is expected


def test_a_number_that_is_none_never_matches(tmp_path):
    made = dataset()
    made.add_new("SliceThickness", "LO", "thin")
    made["SliceThickness"].VR = "DS"
    made["SliceThickness"]._value = "thin"
    assert not matches(tmp_path, '{SliceThickness: "<= 1.5"}', made)
    assert matches(tmp_path, '{not: {SliceThickness: "<= 1.5"}}', made)


def test_every_item_of_a_sequence_is_searched(tmp_path):
    items = [dataset(ScheduledProcedureStepID=value) for value in ("A", "B")]
    made = dataset(RequestAttributesSequence=Sequence(items))
    assert matches(tmp_path, "{RequestAttributesSequence.ScheduledProcedureStepID: b}", made)


def test_a_private_element_is_found_by_its_creator(tmp_path):
    made = dataset()
    made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "yes")
    assert matches(tmp_path, '{"(0029,10,ACME)": "yes"}', made)
    assert not matches(tmp_path, '{"(0029,10,OTHER)": "yes"}', made)


def test_otherwise_applies_when_nothing_else_did(tmp_path):
    config = read_config(
        tmp_path,
        """
routes:
  - {name: rest, when: otherwise, to: [vna]}
  - {name: ct, when: {Modality: CT}, to: [pacs]}
  - {name: mr, when: {Modality: MR}, to: [pacs]}
""",
    )
    routes = Routes(config)

    def names(modality: str) -> list[str]:
        scan = scan_of(dataset(Modality=modality))
        return [match.route.name for match in routes.match(association(), scan, RECEIVED)]

    assert names("CT") == ["ct"]
    assert names("US") == ["rest"]


def test_an_element_many_routes_ask_about_is_decoded_once(tmp_path, monkeypatch):
    routes = "".join(
        f"  - {{name: r{n}, when: {{StudyDescription: 'x{n}*'}}, to: [pacs]}}\n" for n in range(200)
    )
    config = read_config(tmp_path, f"routes:\n{routes}")
    asked: list[str] = []
    original = Scan.value

    def counted(scan, span):
        asked.append("asked")
        return original(scan, span)

    scan = scan_of(dataset(StudyDescription="x7 thorax"))
    facts = Facts(association(), scan, RECEIVED)
    assert facts is not None
    monkeypatch.setattr(Scan, "value", counted)
    found = Routes(config).match(association(), scan, RECEIVED)
    assert [match.route.name for match in found] == ["r7"]
    assert len(asked) < 10


def test_a_pattern_of_many_stars_takes_no_longer_than_the_text(tmp_path):
    pattern = glob("*a" * 30 + "*b")
    assert not pattern.match("a" * 20_000)
    assert pattern.match("a" * 40 + "b")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*c", "acx", False),
        ("*b*", "abc", True),
        ("a*b*c", "a1b2b3c", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("*", "", True),
        ("ab*ab", "ab", False),
        ("*\nb", "a\nb", True),
    ],
)
def test_stars_and_question_marks(pattern, text, expected):
    assert bool(glob(pattern).match(text)) is expected
