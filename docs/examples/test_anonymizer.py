"""The anonymizer: nothing it does not know leaves, and what leaves is still an image."""

from pathlib import Path

import pytest
from anonymizer import Anonymizer
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.testing import cut_short, make_dataset

HERE = Path(__file__).parent
SECRET = "0123456789abcdef0123456789abcdef"
MARK = "MARK"


@pytest.fixture
def chain(dicom_chain):
    return dicom_chain(
        f"[{{anonymizer.py:Anonymizer: {{secret: {SECRET}, keep: [StudyDescription]}}}}]",
        files=[HERE / "anonymizer.py"],
    )


def marked() -> Dataset:
    """An image with a mark wherever somebody may be named."""
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.PatientComments = "1.2.3.9", MARK
    item.private_block(0x0009, MARK, create=True).add_new(1, "LO", MARK)
    made = make_dataset(
        PatientName=MARK, PatientID=MARK, OperatorsName=MARK, StudyInstanceUID="1.2.3",
        InstitutionName=MARK, StudyDate="20240305", Rows=2, Columns=2, BitsAllocated=8,
        PixelData=b"\1\2\3\4", StudyDescription="CT HEAD",
    )  # fmt: skip
    made.ReferencedImageSequence = Sequence([item])
    made.private_block(0x0011, MARK, create=True).add_new(1, "UN", MARK.encode())
    made.add_new(0x60003000, "OB", MARK.encode())
    return made


def test_no_mark_leaves_at_any_depth(chain):
    made = chain.run(marked())
    assert made.state == "processed", made.reason
    assert MARK not in str(made.dataset)
    assert MARK.encode() not in b"".join(
        element.value for element in made.dataset.iterall() if isinstance(element.value, bytes)
    )
    assert not [element for element in made.dataset.iterall() if element.tag.is_private]


def test_what_is_kept_is_still_an_image(chain):
    made = chain.run(marked()).dataset
    assert (made.Rows, made.PixelData, made.StudyDescription) == (2, b"\1\2\3\4", "CT HEAD")
    assert made.PatientIdentityRemoved == "YES"
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.StudyDate == made.PatientName == ""


def test_uids_are_others_and_the_same_for_the_same(chain):
    first, second = (chain.run(marked()).dataset for _ in range(2))
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.3"
    assert first.PatientID == second.PatientID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    [item] = first.ReferencedImageSequence
    assert item.ReferencedSOPInstanceUID.startswith("2.25.")
    assert first.SOPClassUID == marked().SOPClassUID


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Modality": "US"}, "names may be burned into its pixels"),
        ({"BurnedInAnnotation": "YES"}, "names may be burned into its pixels"),
        ({"PatientID": None}, "without a Patient ID it would be nobody's"),
    ],
)
def test_what_it_cannot_make_safe_is_held(chain, elements, reason):
    held = chain.run(make_dataset(**elements))
    assert (held.state, held.reason) == ("held", reason)


def test_what_cannot_be_read_to_its_end_is_held(chain):
    assert chain.run_bytes(cut_short(marked())).state == "held"


def test_a_plugin_that_puts_the_name_back_is_noticed(dicom_chain):
    chain = dicom_chain(
        f"""
        - anonymizer.py:Anonymizer: {{secret: {SECRET}}}
        - set: {{PatientName: "Doe^Jane"}}
        """,
        files=[HERE / "anonymizer.py"],
    )
    held = chain.run(make_dataset(PatientName="Doe^Jane"))
    assert (held.state, held.hook) == ("held", "verify_instance")
    assert held.reason == "PatientName is still what it was"


def test_mistakes_are_found_before_the_first_image():
    with pytest.raises(ValueError, match="at least 16"):
        Anonymizer("short")
    with pytest.raises(ValueError, match="PatientNam is no DICOM keyword"):
        Anonymizer(SECRET, ["PatientNam"])
