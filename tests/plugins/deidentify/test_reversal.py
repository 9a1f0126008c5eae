"""What comes back from outside gets its patient again, and nobody can read how."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from router.plugins.deidentify import Deidentify
from router.plugins.reidentify import Reidentify

from router import Hold
from router.testing import make_instance
from tests.plugins.deidentify.making import SECRET, leaving


def image(number: int = 1) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"1.2.3.4.5.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4.5", "1.2.3.4.5.77"
    made.PatientName, made.PatientID = "Mühlenhaupt^Jörg", "P-77123"
    made.PatientBirthDate, made.AccessionNumber = "19620304", "A20231777"
    made.StudyDate = "20240305"
    return made


def sent(folder, made: Dataset) -> Dataset:
    plugin = Deidentify(SECRET, reversible=True, map=folder / "map.sqlite")
    instance = make_instance(made, folder)
    plugin.rewrite_instance(instance)
    instance.seal()
    plugin.verify_instance(instance)
    return leaving(instance)


def result(of: Dataset) -> Dataset:
    """A segmentation that somebody made of an image he was sent."""
    made = Dataset()
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "PatientIdentityRemoved"):
        setattr(made, keyword, of.get(keyword))
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    made.SOPInstanceUID, made.SeriesInstanceUID = "1.9.9.1", "1.9.9"
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = of.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = (
        of.SeriesInstanceUID,
        Sequence([reference]),
    )
    made.ReferencedSeriesSequence = Sequence([series])
    return made


def restored(folder, made: Dataset, secret: str = SECRET) -> Dataset:
    instance = make_instance(made, folder)
    Reidentify(secret, folder / "map.sqlite").rewrite_instance(instance)
    instance.seal()
    return leaving(instance)


def test_a_result_gets_its_patient_study_and_references_back(tmp_path):
    back = restored(tmp_path, result(sent(tmp_path, image())))
    assert back.PatientName == "Mühlenhaupt^Jörg"
    assert (back.PatientID, back.PatientBirthDate) == ("P-77123", "19620304")
    assert (back.AccessionNumber, back.StudyDate) == ("A20231777", "20240305")
    assert back.StudyInstanceUID == "1.2.3.4.5"
    series = back.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == "1.2.3.4.5.77"
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5.1"
    assert (back.SOPInstanceUID, back.SeriesInstanceUID) == ("1.9.9.1", "1.9.9")
    assert "PatientIdentityRemoved" not in back


def test_sending_again_gives_the_same_and_the_map_grows_no_more(tmp_path):
    first = sent(tmp_path, image())
    size = (tmp_path / "map.sqlite").stat().st_size
    assert sent(tmp_path, image()) == first
    assert (tmp_path / "map.sqlite").stat().st_size == size


def test_the_map_tells_nothing_without_the_secret(tmp_path):
    left = sent(tmp_path, image())
    content = (tmp_path / "map.sqlite").read_bytes()
    for told in ("P-77123", "1.2.3.4.5", "hlenhaupt", "19620304", left.StudyInstanceUID):
        assert told.encode() not in content
    assert (tmp_path / "map.sqlite").stat().st_mode & 0o077 == 0
    with pytest.raises(Hold, match="nothing of this study"):
        restored(tmp_path, result(left), "another secret, as long as the first")


def test_what_was_not_sent_from_here_is_held(tmp_path):
    sent(tmp_path, image())
    with pytest.raises(Hold, match="the map has nothing of this study"):
        restored(tmp_path, result(image()))


def test_an_instance_that_was_sent_never_overwrites_its_original(tmp_path):
    left = sent(tmp_path, image())
    with pytest.raises(Hold, match="the original is here"):
        restored(tmp_path, left)


def test_a_map_that_was_changed_is_not_believed(tmp_path):
    import sqlite3

    left = sent(tmp_path, image())
    with sqlite3.connect(tmp_path / "map.sqlite") as database:
        database.execute("UPDATE map SET value = zeroblob(64)")
    database.close()
    with pytest.raises(Hold, match="another secret, or has been changed"):
        restored(tmp_path, result(left))


def test_a_map_is_of_no_use_unless_reversible(tmp_path):
    with pytest.raises(ValueError, match="only with reversible"):
        Deidentify(SECRET, map=tmp_path / "map.sqlite")
