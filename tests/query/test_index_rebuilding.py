"""A local index beside its files: made anew from them, whatever became of it or of them."""

import os
import shutil

import pytest

from router.dataset import encode_file_meta, read_segments
from router.spool import IndexReader, LocalIndex, Narrowing, rebuild
from router.spool.index_entry import read_entry

from .test_index_matching import EXPLICIT, ask, scanned, texts

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY = {"StudyInstanceUID": ""}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def index(tmp_path, folder):
    made = LocalIndex(tmp_path / "index.db", folder)
    yield made
    made.close()


def write(folder, path: str, uid: str, changed: int | None = None, **values: str) -> bytes:
    """A file of an instance, as a delivery leaves it; its path below the folder."""
    keys = {"SOPClassUID": CT, "SOPInstanceUID": uid, "Modality": "CT", "PatientID": "P"}
    scan = scanned({**keys, "StudyInstanceUID": "1.1", "SeriesInstanceUID": "2.1", **values})
    file = folder / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(encode_file_meta(CT, uid, EXPLICIT) + b"".join(read_segments([scan.header])))
    if changed is not None:
        os.utime(file, ns=(changed, changed))
    return path.encode()


def rows(index: LocalIndex) -> dict:
    """All that queries and retrieves can see."""
    reader = IndexReader(index.path)
    found = {
        level: sorted((each.attributes for each in reader.candidates(level, Narrowing())), key=str)
        for level in ("STUDY", "SERIES", "IMAGE")
    }
    found["files"] = sorted(reader.files(Narrowing()))
    found["answers"] = sorted(
        ask(index, "STUDY", {**STUDY, "NumberOfStudyRelatedInstances": ""}), key=str
    )
    reader.close()
    return found


def test_a_rebuilt_index_is_the_one_that_deliveries_made(tmp_path, folder, index):
    for number in range(1, 8):
        study = number % 3
        path = write(
            folder, f"{study}/{number}.dcm", f"3.{number}", number * 10**9,
            StudyInstanceUID=f"1.{study}", SeriesInstanceUID=f"2.{study}.{number % 2}",
            PatientName=f"NAME^{number}", StudyDate=f"2024010{number}",
        )  # fmt: skip
        index.add(read_entry(folder, path))
    other = LocalIndex(tmp_path / "other.db", folder)
    result = rebuild(other, lambda: None)
    assert (result.indexed, result.gone, result.others) == (7, 0, [])
    assert rows(other) == rows(index)
    other.close()


def test_a_study_has_the_values_of_its_newest_file_in_whatever_order_they_are_read(folder, index):
    write(folder, "a/1.dcm", "3.1", 30, PatientName="NEW")
    write(folder, "b/2.dcm", "3.2", 20, PatientName="OLD")
    rebuild(index, lambda: None)
    assert texts(ask(index, "STUDY", {"PatientName": ""}), "PatientName") == ["NEW"]
    assert ask(index, "STUDY", {"PatientName": "OLD"}) == []
    (folder / "a/1.dcm").unlink()
    rebuild(index, lambda: None)
    assert texts(ask(index, "STUDY", {"PatientName": "OLD"}), "PatientName") == ["OLD"]


def test_files_that_are_gone_are_forgotten_with_their_empty_series_and_studies(folder, index):
    write(folder, "1.dcm", "3.1", StudyInstanceUID="1.1", SeriesInstanceUID="2.1")
    write(folder, "2.dcm", "3.2", StudyInstanceUID="1.2", SeriesInstanceUID="2.2")
    rebuild(index, lambda: None)
    (folder / "2.dcm").unlink()
    assert rebuild(index, lambda: None).gone == 1
    assert texts(ask(index, "STUDY", STUDY), "StudyInstanceUID") == ["1.1"]


def test_of_two_files_of_one_instance_the_newer_counts_while_it_is_there(folder, index):
    write(folder, "a.dcm", "3.1", 20)
    write(folder, "b.dcm", "3.1", 10)
    rebuild(index, lambda: None)
    assert [path for path, *_ in rows(index)["files"]] == [b"a.dcm"]
    (folder / "a.dcm").unlink()
    rebuild(index, lambda: None)
    assert [path for path, *_ in rows(index)["files"]] == [b"b.dcm"]


def test_an_instance_that_comes_again_in_another_study_moves_there(folder, index):
    index.add(read_entry(folder, write(folder, "1.dcm", "3.1", 10)))
    moved = {"StudyInstanceUID": "1.9", "SeriesInstanceUID": "2.9"}
    index.add(read_entry(folder, write(folder, "1.dcm", "3.1", 20, **moved)))
    answers = ask(index, "STUDY", {**STUDY, "NumberOfStudyRelatedInstances": ""})
    assert texts(answers, "StudyInstanceUID") == ["1.9"]
    assert texts(answers, "NumberOfStudyRelatedInstances") == ["1"]


def test_what_is_delivered_while_it_is_rebuilt_stays(folder, index):
    for number in range(5):
        write(folder, f"{number}.dcm", f"3.{number}", 10)
    late = []

    def deliver() -> None:
        if not late:
            late.append(write(folder, "late.dcm", "3.99", 20))
            index.add(read_entry(folder, late[0]))
            index.add(read_entry(folder, write(folder, "0.dcm", "3.0", 30, PatientName="AGAIN")))

    rebuild(index, deliver)
    assert len(rows(index)["files"]) == 6
    assert len(ask(index, "STUDY", {"PatientName": "AGAIN"})) == 1


def test_what_cannot_be_indexed_is_told_and_the_rest_is_indexed(folder, index):
    write(folder, "1.dcm", "3.1")
    write(folder, "2.dcm", "3.2", SeriesInstanceUID="")
    (folder / "README").write_text("not DICOM")
    (folder / ".3.dcm.part").write_bytes(b"being written")
    result = rebuild(index, lambda: None)
    assert result.indexed == 1
    assert dict(result.others) == {
        b"2.dcm": "it has no Study, Series or SOP Instance UID",
        b"README": "is not a DICOM file: no DICM after a preamble of 128 bytes",
    }


def test_a_folder_with_files_is_not_whole_before_it_was_read(tmp_path, folder):
    write(folder, "1.dcm", "3.1")
    index = LocalIndex(tmp_path / "index.db", folder)
    assert not index.is_whole
    rebuild(index, lambda: None)
    assert index.is_whole
    index.close()
    assert LocalIndex(tmp_path / "index.db", folder).is_whole


def test_an_index_of_another_folder_begins_anew(tmp_path, folder, index):
    index.add(read_entry(folder, write(folder, "1.dcm", "3.1")))
    (tmp_path / "elsewhere").mkdir()
    other = LocalIndex(index.path, tmp_path / "elsewhere")
    assert other.is_whole
    assert rows(other)["files"] == []
    index.add(read_entry(folder, b"1.dcm"))  # of a delivery that began before
    assert rows(other)["files"] == []
    other.close()


def test_a_folder_that_is_not_there_is_not_an_empty_one(folder, index):
    index.add(read_entry(folder, write(folder, "1.dcm", "3.1")))
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError):
        rebuild(index, lambda: None)
    assert len(rows(index)["files"]) == 1


def test_patients_are_told_apart_by_their_issuers_and_those_without_an_id_never_merged(
    folder, index
):
    for number, (patient, issuer) in enumerate(
        [("P", "A"), ("P", "A"), ("P", "B"), ("", ""), ("", "")], 1
    ):
        write(
            folder, f"{number}.dcm", f"3.{number}", PatientID=patient, IssuerOfPatientID=issuer,
            StudyInstanceUID=f"1.{number}", SeriesInstanceUID=f"2.{number}",
        )  # fmt: skip
    rebuild(index, lambda: None)
    keys = ("PatientID", "IssuerOfPatientID", "NumberOfPatientRelatedStudies")
    answers = ask(index, "PATIENT", dict.fromkeys(keys, ""))
    found = zip(*(texts(answers, key) for key in keys), strict=True)
    assert sorted(found) == [("", "", "1"), ("", "", "1"), ("P", "A", "2"), ("P", "B", "1")]
