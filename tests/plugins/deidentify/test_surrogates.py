"""What stands in for UIDs, patients and dates: the same everywhere for the same secret."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from router.plugins.deidentify import Deidentify
from router.plugins.deidentify.surrogates import Surrogates, shifted

from router import Hold
from router.testing import make_instance
from tests.plugins.deidentify.making import MODIFIED, SECRET, deidentified, leaving


def image(**more: object) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
    made.StudyInstanceUID, made.PatientID = "1.2.3.4", "P-77123"
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def test_another_process_finds_the_same_replacements():
    script = (
        "from router.plugins.deidentify.surrogates import Surrogates as S;"
        f"s = S({SECRET!r}); print(s.uid('1.2.3'), s.pseudonym('P'), s.days('P'))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    own = Surrogates(SECRET)
    assert run.stdout.split() == [own.uid("1.2.3"), own.pseudonym("P"), str(own.days("P"))]


def test_another_secret_gives_other_replacements():
    one, other = Surrogates(SECRET), Surrogates(SECRET + "!")
    assert one.uid("1.2.3") != other.uid("1.2.3")
    assert one.pseudonym("P") != other.pseudonym("P")


def test_uids_are_valid_and_those_of_the_standard_stay():
    surrogates = Surrogates(SECRET)
    made = {surrogates.uid(f"1.2.{number}") for number in range(1000)}
    assert len(made) == 1000
    assert all(uid.startswith("2.25.") and UID(uid).is_valid for uid in made)
    assert surrogates.uid("1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1"
    assert surrogates.uid("1.2.840.10008.1.4.1.1.77123").startswith("2.25.")


def test_references_between_instances_still_lead_somewhere(tmp_path):
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.2.3.4.5"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = "1.2.3.9", Sequence([reference])
    one = leaving(deidentified(image(), tmp_path))
    other = image(SOPInstanceUID="1.2.3.4.6", ReferencedSeriesSequence=Sequence([series]))
    left = leaving(deidentified(other, tmp_path))
    kept = left.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert kept.ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert kept.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert left.StudyInstanceUID == one.StudyInstanceUID


def test_several_uids_in_one_element_are_each_replaced(tmp_path):
    several = image(IrradiationEventUID=["1.2.3.7", "1.2.3.8"])
    left = leaving(deidentified(several, tmp_path)).IrradiationEventUID
    surrogates = Surrogates(SECRET)
    assert list(left) == [surrogates.uid("1.2.3.7"), surrogates.uid("1.2.3.8")]


@pytest.mark.parametrize(
    ("value", "days", "expected"),
    [
        ("20240305", -5, "20240229"),
        ("2024.03.05", -5, "20240229"),
        ("20240305112233.123456+0100", -400, "20230130112233.123456+0100"),
        ("202403", -31, "202401"),
        ("2024", -366, "2022"),
        ("20240231", 1, None),
        ("00010101", -400, None),
        ("Smith", -1, None),
        ("20240305Smith", -1, None),
        ("2024Smith", -1, None),
    ],
)
def test_dates_move_by_days_and_keep_their_precision(value, days, expected):
    assert shifted(value, days) == expected


def test_all_dates_of_a_patient_move_alike_and_times_stay(tmp_path):
    lefts = [
        leaving(deidentified(made, tmp_path, [MODIFIED]))
        for made in (
            image(StudyDate="20240305", AcquisitionDateTime="20240306112233", StudyTime="1122"),
            image(StudyDate="20230305", SOPInstanceUID="1.2.3.4.7", StudyInstanceUID="1.2.3.8"),
        )
    ]
    days = Surrogates(SECRET).days("P-77123")
    assert lefts[0].StudyDate == shifted("20240305", days)
    assert lefts[0].AcquisitionDateTime == shifted("20240306112233", days)
    assert lefts[0].StudyTime == "1122"
    assert lefts[1].StudyDate == shifted("20230305", days)


def test_what_is_no_date_is_replaced_where_dates_are_moved(tmp_path):
    instance = make_instance(image(), tmp_path)
    instance.dataset.StudyDate = "20240305"
    left = leaving(deidentified(image(StudyID="1", StudyTime="Smith 12"), tmp_path, [MODIFIED]))
    assert left.StudyTime == "000000"


def test_an_empty_date_stays_empty(tmp_path):
    left = leaving(deidentified(image(StudyDate="", StudyTime=""), tmp_path, [MODIFIED]))
    assert (left.StudyDate, left.StudyTime) == ("", "")


def test_a_patient_has_one_pseudonym_in_name_and_id(tmp_path):
    lefts = [leaving(deidentified(image(PatientName=n), tmp_path)) for n in ("A^B", "B^A")]
    assert len({str(name) for left in lefts for name in (left.PatientID, left.PatientName)}) == 1


@pytest.fixture
def pseudonyms(tmp_path):
    path = tmp_path / "pseudonyms.csv"
    path.write_text("PatientID,pseudonym\nP-77123,S001\nP-2,S002\n")
    return path


def test_pseudonyms_come_from_a_table_that_is_read_again_when_it_changes(tmp_path, pseudonyms):
    plugin = Deidentify(SECRET, pseudonyms=pseudonyms)

    def pseudonym(patient: str) -> str:
        instance = make_instance(image(PatientID=patient), tmp_path)
        plugin.rewrite_instance(instance)
        return instance.dataset.PatientID

    assert pseudonym("P-77123") == "S001"
    with pytest.raises(Hold, match="has none for this patient"):
        pseudonym("P-3")
    pseudonyms.write_text("PatientID,pseudonym\nP-77123,S001\nP-3,S0003\n")
    assert pseudonym("P-3") == "S0003"
    pseudonyms.unlink()
    with pytest.raises(Hold, match="cannot be read"):
        pseudonym("P-3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,name\n1,2\n", "needs the columns PatientID and pseudonym"),
        ("PatientID,pseudonym\n1,A\n2,A\n", "two patients have the same pseudonym"),
        ("PatientID,pseudonym\n1,A\n1,B\n", r"pseudonyms.csv:3: the patient has another"),
        ("PatientID,pseudonym\n1,\n", r"pseudonyms.csv:2: the pseudonym is empty"),
    ],
)
def test_a_table_that_would_mix_patients_up_is_a_mistake(pseudonyms, text, told):
    pseudonyms.write_text(text)
    with pytest.raises(ValueError, match=told):
        Deidentify(SECRET, pseudonyms=pseudonyms)


def test_a_table_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="cannot read"):
        Deidentify(SECRET, pseudonyms=tmp_path / "none.csv")
