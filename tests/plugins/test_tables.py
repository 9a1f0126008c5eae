"""Plugins that look values up in a CSV file, which may change while the router runs."""

from __future__ import annotations

import os

import pytest

from router import Table
from router.routing.build import Plugins
from router.routing.run import run_chain
from router.routing.spec import chain_spec
from router.spool.records import HeldCopy, Processed
from router.testing import make_instance
from tests.plugins.running import leaving, run
from tests.routing.helpers import dataset, read_config

IDS = "id,pseudonym,site\nP1, S-1 ,vna\nP2,S-2,pacs\nP2,S-2,vna\nP3,S-3,\nP3,S-4,\n"


@pytest.fixture
def ids(tmp_path):
    (tmp_path / "ids.csv").write_text(IDS)
    return tmp_path / "ids.csv"


@pytest.mark.parametrize(
    ("options", "patient_id", "expected"),
    [
        ("", "P1", "S-1"),
        ("", "P2", "S-2"),
        (", key: pseudonym, value: id", "S-1", "P1"),
        (", default: unknown", "P9", "unknown"),
        (', default: "{StudyInstanceUID}"', "P9", "1.2.3"),
        (", default: unknown", "", "unknown"),
        (", missing: keep", "P9", "P9"),
        (", missing: keep", "P1", "S-1"),
    ],
)
def test_a_value_becomes_what_the_table_says(tmp_path, ids, options, patient_id, expected):
    chain = f"[{{map: {{element: PatientID, file: ids.csv{options}}}}}]"
    made = dataset(PatientID=patient_id)
    outcome = run(tmp_path, chain, made)
    assert isinstance(outcome, Processed), outcome
    left = made if outcome.segments is None else leaving(outcome)
    assert left.PatientID == expected


def test_what_the_table_says_can_go_elsewhere(tmp_path, ids):
    chain = "[{map: {element: PatientID, file: ids.csv, into: ClinicalTrialSubjectID}}]"
    left = leaving(run(tmp_path, chain, dataset(PatientID="P1")))
    assert (left.PatientID, left.ClinicalTrialSubjectID) == ("P1", "S-1")


@pytest.mark.parametrize(
    ("patient_id", "reason"),
    [
        ("P9", "the value of PatientID is not in the table"),
        ("", "the value of PatientID is not in the table"),
        (None, "the value of PatientID is not in the table"),
        ("P3", "the value of PatientID is in the table twice"),
    ],
)
@pytest.mark.parametrize("into", ["", ", into: ClinicalTrialSubjectID"])
def test_a_value_without_its_one_counterpart_holds_the_copy(
    tmp_path, ids, patient_id, reason, into
):
    made = dataset() if patient_id is None else dataset(PatientID=patient_id)
    outcome = run(tmp_path, f"[{{map: {{element: PatientID, file: ids.csv{into}}}}}]", made)
    assert outcome == HeldCopy(reason, "map", "rewrite_instance")


def test_a_table_is_read_again_when_it_has_changed_and_holds_what_comes_while_it_is_broken(
    tmp_path, ids
):
    config = read_config(
        tmp_path,
        "routes: [{name: r, chain: [{map: {element: PatientID, file: ids.csv}}], to: [pacs]}]",
    )
    spec = chain_spec(config.routes[0].chain, config)
    chain = Plugins(tmp_path / "plugins").chain(spec)

    def processed(patient_id: str) -> object:
        copies = [make_instance(dataset(PatientID=patient_id), tmp_path) for _ in range(2)]
        outcome = run_chain(chain, spec, copies[0], copies[1], ["pacs"])
        return outcome if isinstance(outcome, HeldCopy) else leaving(outcome).PatientID

    assert processed("P1") == "S-1"
    ids.write_text("id,pseudonym\nP1,S-100\n")
    assert processed("P1") == "S-100"
    ids.write_text("no table")
    held = HeldCopy("ids.csv cannot be read as a table", "map", "rewrite_instance", 60.0)
    assert [processed("P1"), processed("P1")] == [held, held]
    new = tmp_path / "new.csv"
    new.write_text("id,pseudonym\nP1,S-200\n")
    os.replace(new, ids)
    assert processed("P1") == "S-200"
    ids.unlink()
    assert processed("P1") == held


@pytest.mark.parametrize(
    ("content", "arguments", "mistake"),
    [
        (b"id\nP1\n", (), "t.csv needs two columns with names in its first row"),
        (b"", (), "t.csv needs two columns with names in its first row"),
        (b"id,name\n", ("ID",), "t.csv has no column 'ID'; it has id, name"),
        (b"id,name\n\xff,x\n", (), "t.csv is not a CSV file in UTF-8"),
        (b'id,name\n"a"b,x\n', (), "t.csv is not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_table_is_a_mistake(tmp_path, content, arguments, mistake):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match="t.csv") as caught:
        Table(tmp_path / "t.csv", *arguments)
    assert str(caught.value) == mistake


@pytest.mark.parametrize(
    ("options", "elements", "destinations"),
    [
        ("element: StationName", {"StationName": "vna"}, ["pacs", "vna"]),
        ("element: PatientID, file: ids.csv, value: site", {"PatientID": "P1"}, ["pacs", "vna"]),
        ("element: PatientID, file: ids.csv, value: site", {"PatientID": "P2"}, ["pacs", "vna"]),
        ("element: PatientID, file: ids.csv, default: [vna]", {"PatientID": "P9"}, ["pacs", "vna"]),
        ("element: PatientID, file: ids.csv, default: []", {"PatientID": "P9"}, ["pacs"]),
    ],
)
def test_route_by_adds_the_destinations_an_element_names(
    tmp_path, ids, options, elements, destinations
):
    outcome = run(tmp_path, f"[{{route_by: {{{options}}}}}]", dataset(**elements))
    assert isinstance(outcome, Processed), outcome
    assert sorted(outcome.destinations) == destinations


@pytest.mark.parametrize(
    ("options", "elements", "reason"),
    [
        ("element: StationName", {}, "StationName says no destination"),
        ("element: StationName", {"StationName": "moon"}, "there is no destination 'moon'"),
        (
            "element: PatientID, file: ids.csv",
            {"PatientID": "P9"},
            "PatientID says no destination",
        ),
    ],
)
def test_route_by_holds_what_names_no_destination(tmp_path, ids, options, elements, reason):
    outcome = run(tmp_path, f"[{{route_by: {{{options}}}}}]", dataset(**elements))
    assert isinstance(outcome, HeldCopy)
    assert outcome.plugin == "route_by"
    assert outcome.hook == "forward_instance"
    assert reason in outcome.reason
