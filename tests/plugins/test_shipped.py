"""What the plugins that come with the router make of an instance."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.testing import Outcome
from tests.routing.helpers import dataset


@pytest.fixture
def run(dicom_chain, dicom_association):
    """What a chain makes of a data set."""
    sender = dicom_association(calling_ae_title="CT1")
    return lambda chain, made: dicom_chain(chain).run(made, association=sender)


def test_skip_leaves_out_what_meets_its_condition(run):
    chain = '[{skip: {ImageType: "*LOCALIZER*"}}]'
    skipped = run(chain, dataset(ImageType=["ORIGINAL", "LOCALIZER"]))
    assert skipped.state == "skipped"
    assert skipped.plugin == "skip"
    assert run(chain, dataset()).state == "processed"


def test_keep_leaves_out_everything_else(run):
    chain = "[{keep: {Modality: [CT, MR]}}]"
    assert run(chain, dataset(Modality="US")).state == "skipped"
    kept = run(chain, dataset(Modality="MR"))
    assert kept.state == "processed"
    assert not kept.changed


@pytest.mark.parametrize(
    ("values", "keyword", "expected"),
    [
        ('{InstitutionName: "St. Elsewhere"}', "InstitutionName", "St. Elsewhere"),
        ('{ClinicalTrialSubjectID: "S-{PatientID}"}', "ClinicalTrialSubjectID", "S-77"),
        ('{StationName: "{calling_ae_title}"}', "StationName", "CT1"),
        (
            '{AcquisitionDateTime: "{received}"}',
            "AcquisitionDateTime",
            "20240305143000.000000+0000",
        ),
        ("{PatientComments: null}", "PatientComments", ""),
        ('{PatientComments: ""}', "PatientComments", ""),
        ("{Rows: 512}", "Rows", 512),
        ('{Rows: "{Columns}"}', "Rows", 256),
        ("{SliceThickness: 1.5}", "SliceThickness", 1.5),
        ("{ImageType: [DERIVED, SECONDARY]}", "ImageType", ["DERIVED", "SECONDARY"]),
        ('{ImageType: "{FrameType}"}', "ImageType", ["ORIGINAL", "PRIMARY"]),
    ],
)
def test_set_gives_an_element_its_value(run, values, keyword, expected):
    made = dataset(PatientID="77", Columns=256, FrameType=["ORIGINAL", "PRIMARY"])
    assert run(f"[{{set: {values}}}]", made).dataset.get(keyword) == expected


def test_the_values_of_one_set_do_not_see_each_other(run):
    chain = '[{set: {PatientID: "{OtherPatientNames}", OtherPatientNames: "{PatientID}"}}]'
    made = run(chain, dataset(PatientID="A", OtherPatientNames="B")).dataset
    assert (made.PatientID, made.OtherPatientNames) == ("B", "A")


def test_a_later_set_sees_what_an_earlier_one_did(run):
    chain = '[{set: {PatientID: "X"}}, {set: {StudyID: "{PatientID}"}}]'
    assert run(chain, dataset(PatientID="A")).dataset.StudyID == "X"


def test_set_makes_the_sequences_on_its_way(run):
    chain = "[{set: {RequestAttributesSequence.ScheduledProcedureStepID: S1}}]"
    made = run(chain, dataset()).dataset
    assert [i.ScheduledProcedureStepID for i in made.RequestAttributesSequence] == ["S1"]
    two = dataset(RequestAttributesSequence=Sequence([Dataset(), Dataset()]))
    made = run(chain, two).dataset
    assert [i.ScheduledProcedureStepID for i in made.RequestAttributesSequence] == ["S1", "S1"]


def test_set_reserves_a_block_for_a_private_creator(run):
    made = run("[{set: {'(0029,10,ACME)': yes it is}}]", dataset()).dataset
    assert made.private_block(0x0029, "ACME")[0x10].value == "yes it is"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ('{StudyID: "{PatientID}"}', "{PatientID} is missing or empty in this instance"),
        ('{StudyID: "{peer}"}', "{peer} is missing or empty in this instance"),
        ('{StudyDate: "{PatientName}"}', "StudyDate does not take what it is to be set to (VR DA)"),
    ],
)
def test_a_value_that_cannot_be_set_holds_the_copy_without_telling_it(run, values, expected):
    outcome = run(f"[{{set: {values}}}]", dataset(PatientName="Doe^John"))
    assert outcome == Outcome("held", expected, "set", "rewrite_instance")


def test_a_text_the_character_set_does_not_have_never_leaves_mangled(run):
    made = dataset(SpecificCharacterSet="ISO_IR 100", PatientComments="caf\u00e9")
    outcome = run('[{set: {InstitutionName: "\u6771\u4eac"}}]', made)
    if outcome.state == "processed":
        assert outcome.dataset.InstitutionName == "\u6771\u4eac"
        assert outcome.dataset.PatientComments == "caf\u00e9"
    else:
        assert outcome.state == "held"


def private(made: Dataset) -> Dataset:
    made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "a")
    made.private_block(0x0029, "OTHER", create=True).add_new(0x10, "LO", "o")
    return made


def test_remove_takes_elements_away(run):
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "S", "R"
    made = private(dataset(PatientComments="x", StudyID="1"))
    made.RequestAttributesSequence = Sequence([item])
    chain = (
        '[{remove: [PatientComments, "(0020,0010)", "(0029,10,ACME)",'
        " RequestAttributesSequence.RequestedProcedureID, PatientAge]}]"
    )
    left = run(chain, made).dataset
    assert "PatientComments" not in left
    assert "StudyID" not in left
    assert "RequestedProcedureID" not in left.RequestAttributesSequence[0]
    assert left.RequestAttributesSequence[0].ScheduledProcedureStepID == "S"
    assert 0x10 not in left.private_block(0x0029, "ACME")
    assert left.private_block(0x0029, "OTHER")[0x10].value == "o"


def test_remove_takes_a_private_creator_away_at_any_depth(run):
    made = private(dataset())
    made.RequestAttributesSequence = Sequence([private(Dataset())])
    left = run("[{remove: [{private: ACME}]}]", made).dataset
    for level in (left, left.RequestAttributesSequence[0]):
        assert [e.value for e in level if e.tag.is_private] == ["OTHER", "o"]


def test_remove_takes_everything_private_away(run):
    made = private(dataset())
    made.RequestAttributesSequence = Sequence([private(Dataset())])
    left = run("[{remove: [{private: all}]}]", made).dataset
    assert not any(e.tag.is_private for e in left.iterall())


def test_store_keeps_a_readable_file_and_says_where(run, tmp_path):
    made = dataset(PatientID="../../etc/passwd")
    chain = '[{store: {directory: kept, path: "{PatientID}/{SOPInstanceUID}.dcm"}}]'
    outcome = run(chain, made)
    (file,) = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert outcome.notes == (str(file),)
    assert pydicom.dcmread(file).PatientID == "../../etc/passwd"
    assert file.name == "1.2.3.4.dcm"
    assert not list(file.parent.glob(".*"))


def test_store_never_overwrites_another_instance(run, tmp_path):
    chain = '[{store: {directory: kept, path: "{PatientID}.dcm"}}]'
    assert run(chain, dataset(PatientID="1")).state == "processed"
    assert run(chain, dataset(PatientID="1")).state == "processed"
    outcome = run(chain, dataset(PatientID="1", SOPInstanceUID="1.9"))
    assert outcome.state == "held"
    assert outcome.hook == "store_instance"
    assert pydicom.dcmread(tmp_path / "kept" / "1.dcm").SOPInstanceUID == "1.2.3.4"
