"""The table of PS3.15 Annex E: where it comes from, and what options make of it."""

from __future__ import annotations

import json

import dicomanonymizer.simpledicomanonymizer as oracle
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from router.plugins.deidentify import Deidentify
from router.plugins.deidentify.profile import CODES, OPTIONS, Action, Profile, table

from router import Hold
from router.dataset import FileRange, parse_path, scan_segments
from router.instance import Source
from router.routing.build import plugin_context
from router.testing import encode, make_instance
from tests.plugins.deidentify.making import (
    ENCODINGS,
    FULL,
    MODIFIED,
    SECRET,
    deidentified,
    leaving,
)

ROWS = {row["tag"]: row for row in table("profile.csv")}
COLUMNS = {
    "rtnUIDsOpt": "retain_uids",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnLongFullDatesOpt": FULL,
    "rtnLongModifDatesOpt": MODIFIED,
    "rtnSafePrivOpt": "retain_safe_private",
    "cleanDescOpt": "clean_descriptors",
    "cleanStructContOpt": "clean_structured_content",
    "cleanGraphOpt": "clean_graphics",
}
ACTIONS = {
    "replace": "D",
    "empty": "Z",
    "delete": "X",
    "replace_UID": "U",
    "empty_or_replace": "Z/D",
    "delete_or_empty": "X/Z",
    "delete_or_replace": "X/D",
    "delete_or_empty_or_replace": "X/Z/D",
    "delete_or_empty_or_replace_UID": "X/Z/U*",
}


def test_the_table_agrees_with_the_one_of_innolitics_in_every_column(data):
    source = json.loads((data / "profile/confidentiality_profile_attributes.json").read_text())
    wrong = []
    for row in source:
        ours = ROWS[row["id"] if len(row["id"]) == 8 else "private"]
        theirs = {name: row.get(column, "") for column, name in COLUMNS.items()}
        if ours["basic"] != row["basicProfile"] or {n: ours[n] for n in theirs} != theirs:
            wrong.append(row["id"])
    assert wrong == []


def test_the_table_agrees_with_the_one_of_dicom_anonymizer():
    theirs = {
        f"{tag[0]:04x}{tag[1]:04x}": ACTIONS[action.__name__]
        for tag, action in oracle.initialize_actions("dicomfields_2026c").items()
        if len(tag) == 2
    }
    ours = {tag: row["basic"] for tag, row in ROWS.items() if tag != "private" and "x" not in tag}
    assert theirs == ours


def test_the_codes_are_those_of_context_group_7050():
    (keywords,) = cid_concepts[7050].values()
    theirs = {
        value: meaning
        for keyword in keywords
        for value, (meaning, _) in concepts["DCM"][keyword].items()
    }
    assert {value: meaning for value, (_, meaning) in CODES.items()} == theirs


@pytest.mark.parametrize(
    ("sop_class", "keyword", "action"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "AcquisitionDate", Action.REMOVE),  # type 3 in CT
        ("1.2.840.10008.5.1.4.1.1.2", "ContentDate", Action.EMPTY),  # type 2C
        ("1.2.840.10008.5.1.4.1.1.2.1", "ContentDate", Action.DUMMY),  # type 1C in Enhanced CT
        ("1.2.840.10008.5.1.4.1.1.2.1", "DeviceSerialNumber", Action.DUMMY),  # type 1
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPlanDate", Action.DUMMY),  # type 2, and no Z
        ("1.2.3.4", "ContentDate", Action.DUMMY),
        ("", "AcquisitionDateTime", Action.DUMMY),
        ("1.2.3.4", "SourceImageSequence", Action.UID),
    ],
)
def test_what_the_profile_leaves_open_the_iod_decides(sop_class, keyword, action):
    actions = Profile(()).top_level(sop_class)
    assert actions[pydicom.tag.Tag(keyword)] is action


def test_below_the_top_level_what_is_open_gets_a_value(tmp_path):
    dataset, item = Dataset(), Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.AcquisitionDateTime = dataset.AcquisitionDateTime = "20240305"
    dataset.AnatomicRegionSequence = Sequence([item])
    left = leaving(deidentified(dataset, tmp_path))
    assert "AcquisitionDateTime" not in left
    assert left.AnatomicRegionSequence[0].AcquisitionDateTime == "19000101000000"


def test_options_that_exclude_each_other_are_a_mistake():
    with pytest.raises(ValueError, match="exclude each other: choose one"):
        Deidentify(SECRET, options=[FULL, MODIFIED])


def test_what_cannot_be_done_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="removing faces in volumes"):
        Deidentify(SECRET, options=["clean_recognizable_visual_features"])


def test_an_empty_secret_is_refused_and_a_short_one_warned_of(tmp_path, caplog):
    with pytest.raises(ValueError, match="the secret is empty"):
        Deidentify("")
    context = plugin_context("deid", tmp_path)
    for secret, told in (("secret", ["the secret is short"]), (SECRET, [])):
        caplog.clear()
        Deidentify(secret).startup(context)
        assert [record.message.split(":")[0] for record in caplog.records] == told


@pytest.mark.parametrize(
    ("options", "codes", "dates"),
    [
        ([], ["113100"], "REMOVED"),
        ([FULL, "retain_uids"], ["113100", "113106", "113110"], "UNMODIFIED"),
        ([MODIFIED, "clean_descriptors"], ["113100", "113105", "113107"], "MODIFIED"),
    ],
)
def test_what_was_done_is_written_into_the_object(tmp_path, options, codes, dates):
    dataset = Dataset()
    dataset.PatientID, dataset.DeidentificationMethod = "1", "by Dr. Who"
    left = leaving(deidentified(dataset, tmp_path, options))
    assert left.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in left.DeidentificationMethodCodeSequence] == codes
    assert {i.CodingSchemeDesignator for i in left.DeidentificationMethodCodeSequence} == {"DCM"}
    assert left.LongitudinalTemporalInformationModified == dates
    told = left["DeidentificationMethod"].value
    assert ([told] if isinstance(told, str) else list(told)) == [CODES[each][1] for each in codes]


def test_descriptors_keep_ordinary_words_only(tmp_path):
    dataset = Dataset()
    dataset.PatientName, dataset.PatientID = "Chest^Otto", "4711"
    dataset.StudyDescription = "CT Chest with contrast 5mm for Otto, see Mr. Brenninkmeyer 12.3.24"
    dataset.SeriesDescription = "T2w_tse sag 3D P2 4711"
    left = leaving(deidentified(dataset, tmp_path, ["clean_descriptors"]))
    assert left.StudyDescription == "CT with contrast 5mm for Mr."
    assert left.SeriesDescription == "T2w_tse sag 3D P2"


def test_structured_content_keeps_codes_and_measurements(tmp_path):
    report = pydicom.dcmread(get_testdata_file("test-SR.dcm"))
    left = leaving(deidentified(report, tmp_path, ["clean_structured_content"]))

    def codes(level: Dataset) -> list[str]:
        return [e.value for e in level.iterall() if keyword_for_tag(e.tag) == "CodeValue"]

    assert len(codes(left)) > 10
    assert set(codes(left)) - {"113100", "113104"} <= set(codes(report))
    assert {i.ValueType for i in left.ContentSequence} == {
        i.ValueType for i in report.ContentSequence
    }
    assert leaving(deidentified(report, tmp_path)).ContentSequence[0].TextValue == "ANONYMIZED"


def test_ae_titles_are_replaced_alike_where_devices_are_retained(tmp_path):
    dataset = Dataset()
    dataset.StationAETitle = dataset.RetrieveAETitle = "CT_SOUTH"
    dataset.DeviceSerialNumber = "S-1"
    left = leaving(deidentified(dataset, tmp_path, ["retain_device_identity"]))
    assert left.DeviceSerialNumber == "S-1"
    assert left.StationAETitle == left.RetrieveAETitle != "CT_SOUTH"


def test_safe_private_elements_stay_with_their_creators(tmp_path):
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    image.private_block(0x0029, "ACME LOCAL", create=True).add_new(0x10, "LO", "harmless")
    image.private_block(0x0029, "ACME LOCAL").add_new(0x11, "LO", "unknown")

    left = leaving(
        deidentified(
            image,
            tmp_path,
            ["retain_safe_private"],
            safe_private=[parse_path("(0029,10,ACME LOCAL)")],
        )
    )
    assert left.private_block(0x0029, "ACME LOCAL")[0x10].value == "harmless"
    assert 0x11 not in left.private_block(0x0029, "ACME LOCAL")
    kept = [element for element in left if element.tag.is_private]
    assert 10 < len(kept) < len([e for e in image if e.tag.is_private])
    assert not any(e.tag.is_private for e in leaving(deidentified(image, tmp_path)))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_dates_uids_and_items_of_safe_private_elements_are_no_safer(tmp_path, encoding):
    dataset, item = Dataset(), Dataset()
    item.PatientName, item.CodeMeaning = "Brenninkmeyer^Otto", "Phantom"
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", 7)
    other = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    other.add_new(0x5F, "SQ", Sequence([item]))
    safe = ["(0019,0A,SIEMENS MR HEADER)", "(2001,5F,Philips Imaging DD 001)"]
    left = leaving(
        deidentified(
            dataset,
            tmp_path,
            ["retain_safe_private"],
            ENCODINGS[encoding],
            safe_private=[parse_path(each) for each in safe],
        )
    )
    assert left.private_block(0x0019, "SIEMENS MR HEADER")[0x0A].value == 7
    items = left.private_block(0x2001, "Philips Imaging DD 001")[0x5F].value
    assert (str(items[0].PatientName), items[0].CodeMeaning) == ("", "Phantom")


def test_regions_of_interest_stay_where_graphics_are_cleaned(tmp_path):
    dataset = Dataset()
    for group, kind in ((0x6000, "R"), (0x6002, "G")):
        dataset.add_new(group << 16 | 0x0010, "US", 2)
        dataset.add_new(group << 16 | 0x0040, "CS", kind)
        dataset.add_new(group << 16 | 0x1500, "LO", "ROI of Brenninkmeyer")
        dataset.add_new(group << 16 | 0x3000, "OW", b"\1\0")
    left = leaving(deidentified(dataset, tmp_path, ["clean_graphics"]))
    assert left[0x60003000].value == b"\1\0"
    assert left[0x60001500].value == "ROI of"
    assert not any(
        e.tag.group in (0x6002, 0x6000) for e in leaving(deidentified(dataset, tmp_path))
    )
    assert not any(e.tag.group == 0x6002 for e in left)


def test_an_element_that_came_twice_holds(tmp_path):
    dataset = Dataset()
    dataset.Modality, dataset.PatientID = "CT", "1"
    instance = make_instance(dataset, tmp_path)

    content = b"\x08\x00\x60\x00CS\x02\x00CT" * 2
    path = tmp_path / "twice"
    path.write_bytes(content)
    segments = (FileRange(str(path), 0, len(content)),)
    instance._source = Source(segments, scan_segments(segments, "1.2.840.10008.1.2.1"))
    with pytest.raises(Hold, match=r"\(0008,0060\) is there twice"):
        Deidentify(SECRET).rewrite_instance(instance)


def test_what_cannot_be_walked_to_its_end_is_held(tmp_path):
    dataset = Dataset()
    dataset.PatientID = "1"
    instance = make_instance(dataset, tmp_path, transfer_syntax="1.2.840.10008.1.2.1.99")

    path = tmp_path / "deflated"
    path.write_bytes(b"\x78\x9c" + bytes(range(1, 60)))
    segments = (FileRange(str(path), 0, 61),)
    instance._source = Source(segments, scan_segments(segments, "1.2.840.10008.1.2.1.99"))
    with pytest.raises(Hold, match="cannot be walked to its end"):
        Deidentify(SECRET).rewrite_instance(instance)


def test_a_sequence_sent_as_unknown_is_looked_into(tmp_path):
    item, below = Dataset(), Dataset()
    item.PatientName, item.CodeMeaning = "Brenninkmeyer^Otto", "Phantom"
    below.PatientName = "Brenninkmeyer^Otto"
    item.AnatomicRegionModifierSequence = Sequence([below])
    inner = encode(item, "1.2.840.10008.1.2")
    value = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    dataset = Dataset()
    dataset[0x00082218] = unknown = DataElement(0x00082218, "UN", b"", already_converted=True)
    unknown.VR, unknown._value = "UN", value
    left = leaving(deidentified(dataset, tmp_path, leak_gate=False))
    assert left.AnatomicRegionSequence[0].CodeMeaning == "Phantom"
    assert left.AnatomicRegionSequence[0].PatientName == ""
    assert left.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].PatientName == ""


def test_what_should_be_no_sequence_is_held(tmp_path):
    item, dataset = Dataset(), Dataset()
    item.CodeMeaning = "Brenninkmeyer"
    dataset[0x00080018] = DataElement(0x00080018, "SQ", Sequence([item]))
    with pytest.raises(Hold, match=r"\(0008,0018\) is a sequence, and should be none"):
        deidentified(dataset, tmp_path)


def test_every_option_of_the_standard_is_an_option():
    assert {option for option, _ in CODES.values() if option} == set(OPTIONS)
