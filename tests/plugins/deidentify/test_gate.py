"""The leak gate: what identified is found wherever it is, and nothing else is held."""

from __future__ import annotations

from itertools import product

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from router.plugins.deidentify import Deidentify
from router.plugins.leak_gate import LeakGate

from router import Hold
from router.testing import make_instance
from tests.plugins.deidentify.making import (
    ENCODINGS,
    MODIFIED,
    ROWS,
    SECRET,
    WRITTEN,
    deidentified,
    leaving,
    vr_of,
)


def patient(**more: object) -> Dataset:
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID, made.StudyInstanceUID = "1.2.826.0.1.7.8.1", "1.2.826.0.1.7.8.2"
    made.Modality, made.BodyPartExamined = "CT", "CHEST"
    made.PatientName, made.PatientID = "Zimmermann^Adelheid^^Dr.", "MRN-0047119"
    made.PatientBirthDate = "19620304"
    made.AccessionNumber = "A20231777"
    made.PatientAddress = "Lindenallee 12^04109 Leipzig"
    made.SpecificCharacterSet = "ISO_IR 100"
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def held(original: Dataset, folder, change, options=()) -> str | None:
    """Why the gate holds what `change` makes of the original's removed identity, if it does."""
    instance = make_instance(original, folder)
    dataset = instance.dataset
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "PatientAddress"),
        *("StudyInstanceUID", "SOPInstanceUID", "ReferringPhysicianName", "StudyID"),
    ):
        if keyword in dataset:
            dataset[keyword].value = ""
    change(dataset)
    instance.seal()
    try:
        LeakGate(list(options)).verify_instance(instance)
    except Hold as hold:
        return hold.reason
    return None


def put(keyword: str, value: object):
    return lambda dataset: setattr(dataset, keyword, value)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Seen: Zimmermann.", "PatientName"),
        ("ZIMMERMANN,A", "PatientName"),
        ("for adelheid", "PatientName"),
        ("MRN-0047119", "PatientID"),
        ("mrn 0047119", "PatientID"),
        ("no. A20231777", "AccessionNumber"),
        ("born 04.03.1962", "PatientBirthDate"),
        ("born 1962-03-04", "PatientBirthDate"),
        ("19620304", "PatientBirthDate"),
        ("DOB 19620304120000", "PatientBirthDate"),
        ("of Lindenallee 12, Leipzig", "PatientAddress"),
        ("study 1.2.826.0.1.7.8.2 of", "StudyInstanceUID"),
    ],
)
def test_a_value_left_anywhere_in_a_text_holds(tmp_path, text, source):
    reason = held(patient(), tmp_path, put("FilterMaterial", "x"))
    assert reason is None
    for keyword in ("TextValue", "LossyImageCompressionMethod"):
        assert held(patient(), tmp_path, put("TextValue", text)) == (
            f"the original {source} is still in TextValue"
        ), keyword


def test_the_report_names_the_element_at_its_depth_and_never_the_value(tmp_path):
    def nest(dataset: Dataset) -> None:
        code, item = Dataset(), Dataset()
        code.CodeMeaning = "the Zimmermann procedure"
        item.AnatomicRegionModifierSequence = Sequence([code])
        dataset.AnatomicRegionSequence = Sequence([item])

    reason = held(patient(), tmp_path, nest)
    assert reason == (
        "the original PatientName is still in "
        "AnatomicRegionSequence.AnatomicRegionModifierSequence.CodeMeaning"
    )


@pytest.mark.parametrize(
    ("character_set", "name", "left"),
    [
        ("ISO_IR 100", "Mühlenhaupt^Jörg", "Hr. MÜHLENHAUPT"),
        ("ISO_IR 100", "Mühlenhaupt^Jörg", "Muehlenhaupt"),
        ("ISO_IR 100", "Mühlenhaupt^Jörg", "Muhlenhaupt"),
        ("ISO_IR 126", "Διονυσιος^Παπαδοπουλος", "ο Παπαδοπουλος"),
        ("ISO_IR 144", "Люкceмбypг^Анна", "Люкceмбypг"),
        ("ISO_IR 192", "王^小東", "病人王小東"),
        ("GB18030", "王^小东", "小东"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ﾔﾏﾀﾞ"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "患者 山田"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "길동"),
    ],
)
def test_a_name_is_found_in_the_character_set_of_the_object(tmp_path, character_set, name, left):
    original = patient(SpecificCharacterSet=character_set, PatientName=name)
    assert held(original, tmp_path, put("TextValue", left)) == (
        "the original PatientName is still in TextValue"
    )
    assert held(original, tmp_path, put("TextValue", "Phantom")) is None


@pytest.mark.parametrize("codec", ["latin-1", "utf-16-le", "utf-16-be", "utf-8"])
@pytest.mark.parametrize("size", [0, 100_000, 300_000])
def test_a_name_is_found_in_bytes_of_no_text(tmp_path, codec, size):
    def add(dataset: Dataset) -> None:
        value = bytes(size) + " für Zimmermann! ".encode(codec) + bytes(size)
        dataset.add_new(0x00420011, "OB", value)
        dataset.private_block(0x0029, "ACME", create=True).add_new(1, "UN", value)

    original = patient()
    add(original)
    assert held(original, tmp_path, lambda _: None) is not None


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_name_in_a_script_without_spaces_is_found_in_the_midst_of_others(tmp_path, size):
    original = patient(SpecificCharacterSet="ISO_IR 192", PatientName="王^小東")
    left = put("TextValue", "病" * size + "王小東" + "人" * size)
    assert held(original, tmp_path, left) is not None


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("O'Hanrahan^Pat", "OHANRAHAN"),
        ("Meyer-Landshut^Ida", "Frau Landshut"),
        ("Meyer-Landshut^Ida", "MeyerLandshut"),
    ],
)
def test_names_of_several_words_are_found_by_each(tmp_path, name, left):
    assert held(patient(PatientName=name), tmp_path, put("TextValue", left)) is not None


def test_ids_are_found_among_numbers_where_they_can_be_no_other(tmp_path):
    original = patient(PatientID="7719382", StudyID="10008")
    assert held(original, tmp_path, put("SeriesNumber", "7719382")) is not None
    ordinary = patient(PatientID="101010", AccessionNumber="1500", StudyID="10008")

    def numbers(dataset: Dataset) -> None:
        dataset.AcquisitionTime, dataset.RepetitionTime = "101010", "1500"

    assert held(ordinary, tmp_path, numbers, [MODIFIED]) is None


def test_short_patterns_are_not_found_in_long_noise(tmp_path):
    import random

    original = patient(PatientName="Kuo^Ngo", PatientID="4711")
    original.add_new(0x54001010, "OW", random.Random(1).randbytes(3_000_000))
    assert held(original, tmp_path, lambda _: None) is None


def test_pixels_are_not_searched(tmp_path):
    original = patient()
    original.add_new(0x7FE00010, "OW", b" Zimmermann " * 100)
    assert held(original, tmp_path, lambda _: None) is None


@pytest.mark.parametrize(
    "identity",
    [
        {"PatientName": "Li^Wei", "PatientID": "1"},
        {"PatientName": "Chest^Hand", "PatientID": "512"},
        {"PatientName": "Head^Max", "PatientID": "CHEST"},
        {"PatientName": "A^B", "PatientID": "CT"},
        {"PatientName": "", "PatientID": ""},
        {"PatientName": "Ray^X", "PatientID": "0"},
        {"PatientName": "CT1^Dr.^von", "PatientID": "CT1"},
        {"PatientName": "Test^Standard", "PatientID": "120"},
    ],
)
def test_patients_with_ordinary_names_and_ids_are_not_held(tmp_path, identity):
    def ordinary(dataset: Dataset) -> None:
        dataset.SeriesDescription = "CT Chest 512 STANDARD max li 1 x"
        dataset.InstanceNumber, dataset.KVP, dataset.Rows = "1", "120", 512
        dataset.AnatomicRegionSequence = Sequence([Dataset()])
        dataset.AnatomicRegionSequence[0].CodeMeaning = "Hand and Head, X ray of chest"
        dataset.ConvolutionKernel, dataset.FilterType = "STANDARD", "CT1 von"

    assert held(patient(**identity), tmp_path, ordinary) is None
    deidentified(patient(**identity, StudyID="1"), tmp_path, ["clean_descriptors"])


@pytest.mark.parametrize("text", ["Li Wei", "wei^li", "LI, WEI", "Wei_Li"])
def test_short_names_are_found_together(tmp_path, text):
    original = patient(PatientName="Li^Wei", PatientID="1")
    assert held(original, tmp_path, put("TextValue", text)) is not None


def test_short_values_are_found_where_they_were(tmp_path):
    original = patient(PatientName="Li", PatientID="1")
    assert held(original, tmp_path, put("PatientID", "1")) is not None
    assert held(original, tmp_path, put("PatientName", "Li")) is not None


def test_parts_of_other_words_and_numbers_are_not_taken_for_the_value(tmp_path):
    original = patient(PatientName="Stern^Anna", PatientID="471192")
    left = "Sternum Annahme 14711920 1.2.826.0.1.7.8.21"
    assert held(original, tmp_path, put("TextValue", left)) is None


def test_what_the_options_retain_is_no_leak(tmp_path):
    keep = put("TextValue", "see 1.2.826.0.1.7.8.2")
    assert held(patient(), tmp_path, keep) is not None
    assert held(patient(), tmp_path, keep, ["retain_uids"]) is None


def test_a_new_borns_retained_study_date_is_no_leak(tmp_path):
    original = patient(PatientBirthDate="20240305", StudyDate="20240305", StudyTime="120000")
    deidentified(original, tmp_path, ["retain_longitudinal_full_dates"])
    deidentified(original, tmp_path, ["retain_longitudinal_modified_dates"])


def test_the_gate_is_behind_deidentify_unless_it_is_turned_off(tmp_path):
    original = patient(FilterType="ZIMMERMANN")
    with pytest.raises(Hold, match="the original PatientName is still in FilterType"):
        deidentified(original, tmp_path)
    deidentified(original, tmp_path, leak_gate=False)


def test_the_gate_is_behind_deidentify_in_a_destinations_chain_as_well(tmp_path):
    plugin = Deidentify(SECRET)
    plugin.rewrite_outgoing(make_instance(patient(), tmp_path))
    with pytest.raises(Hold, match="the original PatientName is still in FilterType"):
        plugin.rewrite_outgoing(make_instance(patient(FilterType="ZIMMERMANN"), tmp_path))


def test_deidentifying_twice_is_no_leak(tmp_path):
    once = deidentified(patient(ReferringPhysicianName="Abendroth^Z"), tmp_path)
    again = leaving(deidentified(leaving(once), tmp_path))
    assert again.PatientID not in ("", leaving(once).PatientID)


VRS = ["LO", "LT", "SH", "ST", "UC", "UT", "CS", "PN", "AE", "UR", "UI", "OB", "DA", "OW"]
TOLD = ["Zimmermann", "0047119", "A20231777", "19620304", "1.2.826.0.1.7.8.2"]


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vr", VRS)
def test_no_attribute_the_profile_keeps_hides_a_value(tmp_path, vr, encoding):
    kept = [tag for tag in DicomDictionary if tag not in ROWS and tag not in WRITTEN]
    tags = [t for t in kept if vr_of(t) == vr and t >> 16 not in (2, 4, 8, 0x28, 0x7FE0, 0xFFFE)]
    missed = []
    for tag, told, below in product(tags[:5], TOLD, (False, True)):
        original, item = patient(), Dataset()
        value = told.encode() if vr[0] == "O" else told
        holder = item if below else original
        holder[tag] = DataElement(tag, vr, value, already_converted=vr != "PN")
        if below:
            original.AnatomicRegionSequence = Sequence([item])
        try:
            deidentified(original, tmp_path, [], ENCODINGS[encoding])
        except Hold:
            continue
        missed.append(f"{told} in {tag:08X}")
    assert missed == []
