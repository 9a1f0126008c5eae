"""What the plugins that come with the router make of an instance."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.spool.records import HeldCopy, Processed, Skipped
from tests.plugins.running import leaving, run
from tests.routing.helpers import dataset


def test_skip_leaves_out_what_meets_its_condition(tmp_path):
    chain = '[{skip: {ImageType: "*LOCALIZER*"}}]'
    skipped = run(tmp_path, chain, dataset(ImageType=["ORIGINAL", "LOCALIZER"]))
    assert isinstance(skipped, Skipped)
    assert skipped.plugin == "skip"
    assert isinstance(run(tmp_path, chain, dataset()), Processed)


def test_keep_leaves_out_everything_else(tmp_path):
    chain = "[{keep: {Modality: [CT, MR]}}]"
    assert isinstance(run(tmp_path, chain, dataset(Modality="US")), Skipped)
    kept = run(tmp_path, chain, dataset(Modality="MR"))
    assert isinstance(kept, Processed)
    assert kept.segments is None


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
def test_set_gives_an_element_its_value(tmp_path, values, keyword, expected):
    made = dataset(PatientID="77", Columns=256, FrameType=["ORIGINAL", "PRIMARY"])
    assert leaving(run(tmp_path, f"[{{set: {values}}}]", made)).get(keyword) == expected


def test_the_values_of_one_set_do_not_see_each_other(tmp_path):
    chain = '[{set: {PatientID: "{OtherPatientNames}", OtherPatientNames: "{PatientID}"}}]'
    made = leaving(run(tmp_path, chain, dataset(PatientID="A", OtherPatientNames="B")))
    assert (made.PatientID, made.OtherPatientNames) == ("B", "A")


def test_a_later_set_sees_what_an_earlier_one_did(tmp_path):
    chain = '[{set: {PatientID: "X"}}, {set: {StudyID: "{PatientID}"}}]'
    assert leaving(run(tmp_path, chain, dataset(PatientID="A"))).StudyID == "X"


def test_set_makes_the_sequences_on_its_way(tmp_path):
    chain = "[{set: {RequestAttributesSequence.ScheduledProcedureStepID: S1}}]"
    made = leaving(run(tmp_path, chain, dataset()))
    assert [i.ScheduledProcedureStepID for i in made.RequestAttributesSequence] == ["S1"]
    two = dataset(RequestAttributesSequence=Sequence([Dataset(), Dataset()]))
    made = leaving(run(tmp_path, chain, two))
    assert [i.ScheduledProcedureStepID for i in made.RequestAttributesSequence] == ["S1", "S1"]


def test_set_reserves_a_block_for_a_private_creator(tmp_path):
    made = leaving(run(tmp_path, "[{set: {'(0029,10,ACME)': yes it is}}]", dataset()))
    assert made.private_block(0x0029, "ACME")[0x10].value == "yes it is"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ('{StudyID: "{PatientID}"}', "{PatientID} is missing or empty in this instance"),
        ('{StudyID: "{peer}"}', "{peer} is missing or empty in this instance"),
        ('{StudyDate: "{PatientName}"}', "StudyDate does not take what it is to be set to (VR DA)"),
    ],
)
def test_a_value_that_cannot_be_set_holds_the_copy_without_telling_it(tmp_path, values, expected):
    outcome = run(tmp_path, f"[{{set: {values}}}]", dataset(PatientName="Doe^John"))
    assert outcome == HeldCopy(expected, "set", "rewrite_instance")


def test_a_text_the_character_set_does_not_have_never_leaves_mangled(tmp_path):
    made = dataset(SpecificCharacterSet="ISO_IR 100", PatientComments="caf\u00e9")
    outcome = run(tmp_path, '[{set: {InstitutionName: "\u6771\u4eac"}}]', made)
    if isinstance(outcome, Processed):
        assert leaving(outcome).InstitutionName == "\u6771\u4eac"
        assert leaving(outcome).PatientComments == "caf\u00e9"
    else:
        assert isinstance(outcome, HeldCopy)


def private(made: Dataset) -> Dataset:
    made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "a")
    made.private_block(0x0029, "OTHER", create=True).add_new(0x10, "LO", "o")
    return made


def test_remove_takes_elements_away(tmp_path):
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "S", "R"
    made = private(dataset(PatientComments="x", StudyID="1"))
    made.RequestAttributesSequence = Sequence([item])
    chain = (
        '[{remove: [PatientComments, "(0020,0010)", "(0029,10,ACME)",'
        " RequestAttributesSequence.RequestedProcedureID, PatientAge]}]"
    )
    left = leaving(run(tmp_path, chain, made))
    assert "PatientComments" not in left
    assert "StudyID" not in left
    assert "RequestedProcedureID" not in left.RequestAttributesSequence[0]
    assert left.RequestAttributesSequence[0].ScheduledProcedureStepID == "S"
    assert 0x10 not in left.private_block(0x0029, "ACME")
    assert left.private_block(0x0029, "OTHER")[0x10].value == "o"


def test_remove_takes_a_private_creator_away_at_any_depth(tmp_path):
    made = private(dataset())
    made.RequestAttributesSequence = Sequence([private(Dataset())])
    left = leaving(run(tmp_path, "[{remove: [{private: ACME}]}]", made))
    for level in (left, left.RequestAttributesSequence[0]):
        assert [e.value for e in level if e.tag.is_private] == ["OTHER", "o"]


def test_remove_takes_everything_private_away(tmp_path):
    made = private(dataset())
    made.RequestAttributesSequence = Sequence([private(Dataset())])
    left = leaving(run(tmp_path, "[{remove: [{private: all}]}]", made))
    assert not any(e.tag.is_private for e in left.iterall())


def test_store_keeps_a_readable_file_and_says_where(tmp_path):
    made = dataset(PatientID="../../etc/passwd")
    chain = '[{store: {directory: kept, path: "{PatientID}/{SOPInstanceUID}.dcm"}}]'
    outcome = run(tmp_path, chain, made)
    (file,) = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert outcome.notes == (str(file),)
    assert pydicom.dcmread(file).PatientID == "../../etc/passwd"
    assert file.name == "1.2.3.4.dcm"
    assert not list(file.parent.glob(".*"))


def test_store_never_overwrites_another_instance(tmp_path):
    chain = '[{store: {directory: kept, path: "{PatientID}.dcm"}}]'
    assert isinstance(run(tmp_path, chain, dataset(PatientID="1")), Processed)
    assert isinstance(run(tmp_path, chain, dataset(PatientID="1")), Processed)
    outcome = run(tmp_path, chain, dataset(PatientID="1", SOPInstanceUID="1.9"))
    assert isinstance(outcome, HeldCopy)
    assert outcome.hook == "store_instance"
    assert pydicom.dcmread(tmp_path / "kept" / "1.dcm").SOPInstanceUID == "1.2.3.4"
