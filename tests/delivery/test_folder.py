"""A destination of type folder: whole files, safe names, nothing overwritten by another."""

import os
from pathlib import Path

import pydicom
import pytest

from router.dataset import open_part10
from router.spool import Selection

from .site import CT, EXPLICIT

FOLDER = """\
  pacs:
    type: folder
    directory: {directory}
    path: "{path}"
    retry: {{first: 100 ms, longest: 200 ms}}
"""


def folder(directory: str | Path, path: str = "{PatientID}/{SOPInstanceUID}.dcm") -> str:
    return FOLDER.format(directory=directory, path=path)


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.fixture
def vna(site) -> Path:
    return site.directory / "vna"


def test_an_instance_becomes_a_file_with_its_very_bytes(site, vna, wait_until):
    site.start(folder(vna))
    uid = site.queue(PatientID="P1", padding=200_000)
    wait_until(lambda: site.state(uid) == "delivered")
    path = vna / "P1" / f"{uid}.dcm"
    part10 = open_part10(path)
    assert (part10.sop_class_uid, part10.transfer_syntax) == (CT, EXPLICIT)
    [kept] = (site.spool.directory / "files").glob("*/*")
    assert path.read_bytes()[part10.dataset_offset :] == kept.read_bytes()
    assert pydicom.dcmread(path).PatientID == "P1"
    assert site.attempts(uid) == [("delivered", None, "written")]
    assert files(vna) == [path]


HOSTILE = ["../../../up", "/etc/passwd", "..", ".", "a/b", "a\\b", "CON", "x" * 64, ".hidden", "é"]


def test_values_cannot_lead_out_of_the_directory(site, vna, wait_until):
    site.start(folder(vna, "{PatientID}/{PatientName}/{SOPInstanceUID}.dcm"))
    uids = [
        site.queue(PatientID=text, PatientName=text, SpecificCharacterSet="ISO_IR 100")
        for text in HOSTILE
    ]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    found = files(vna)
    assert len(found) == len(HOSTILE)
    assert {len(path.relative_to(vna).parts) for path in found} == {3}
    assert not any(part.startswith(".") for path in found for part in path.relative_to(vna).parts)
    assert not (site.directory / "up").exists()


def test_an_instance_that_arrives_again_replaces_the_file(site, vna, wait_until):
    site.start(folder(vna, "{SOPInstanceUID}.dcm"))
    uid = site.queue(PatientID="OLD")
    wait_until(lambda: site.state(uid) == "delivered")
    site._number -= 1
    site.queue(PatientID="NEW")
    wait_until(lambda: pydicom.dcmread(vna / f"{uid}.dcm").PatientID == "NEW")


def test_another_instance_never_does(site, vna, wait_until):
    site.start(folder(vna, "{PatientID}.dcm"))
    first = site.queue(PatientID="SAME")
    wait_until(lambda: site.state(first) == "delivered")
    second = site.queue(PatientID="SAME")
    for tries in (1, 2, 3):
        wait_until(lambda tries=tries: len(site.attempts(second)) == tries)
        site.ledger.retry(Selection()).result()
    assert site.state(second) == "held"
    assert site.trail(second).reason == (
        "another file is at this path: put {SOPInstanceUID} into `path`"
    )
    assert open_part10(vna / "SAME.dcm").sop_instance_uid == first


def test_of_two_that_are_written_at_once_one_stays_and_the_other_is_told_so(site, vna, wait_until):
    pairs = []
    for number in range(40):
        name = f"P{number}"
        pairs.append([site.queue(PatientID=name, study=f"1.2.{n}", padding=20_000) for n in (1, 2)])
    site.start(folder(vna, "{PatientID}.dcm"))
    wait_until(lambda: all(site.attempts(uid) for pair in pairs for uid in pair))
    for number, pair in enumerate(pairs):
        outcomes = {site.attempts(uid)[0][0]: uid for uid in pair}
        assert outcomes.keys() == {"delivered", "refused"}
        path = vna / f"P{number}.dcm"
        assert open_part10(path).sop_instance_uid == outcomes["delivered"]


def test_a_missing_value_holds_the_copy_and_no_other(site, vna, wait_until):
    site.start(folder(vna))
    held, good = site.queue(), site.queue(PatientID="P1")
    wait_until(lambda: site.state(held) == "held" and site.state(good) == "delivered")
    assert site.trail(held).reason == "{PatientID} is missing or empty in this instance"
    assert len(files(vna)) == 1


def test_a_file_that_is_no_dicom_is_left_alone(site, vna, wait_until):
    vna.mkdir()
    (vna / "SAME.dcm").write_text("minutes of the meeting")
    site.start(folder(vna, "{PatientID}.dcm"))
    uid = site.queue(PatientID="SAME")
    wait_until(lambda: site.attempts(uid))
    assert site.attempts(uid)[0][0] == "refused"
    assert (vna / "SAME.dcm").read_text() == "minutes of the meeting"


def test_a_path_that_is_a_directory_refuses_this_object_only(site, vna, wait_until):
    (vna / "TAKEN.dcm").mkdir(parents=True)
    site.start(folder(vna, "{PatientID}.dcm"))
    bad, good = site.queue(PatientID="TAKEN"), site.queue(PatientID="P1")
    wait_until(lambda: site.state(good) == "delivered")
    wait_until(lambda: site.attempts(bad))
    assert site.attempts(bad)[0] == ("refused", None, "Is a directory")
    assert site.deliveries.outages() == {}


def test_a_directory_that_cannot_be_written_is_tried_again_and_names_no_patient(site, wait_until):
    deliveries = site.start(folder("/sys/kernel/vna", "{PatientID}.dcm"))  # not even by root
    uid = site.queue(PatientID="SECRET")
    wait_until(lambda: len(site.attempts(uid)) >= 2)
    assert site.state(uid) == "queued"
    assert {attempt[0] for attempt in site.attempts(uid)} == {"retry"}
    assert "SECRET" not in deliveries.outages()["pacs"].reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_can_be_written_again_gets_everything(site, vna, wait_until):
    vna.mkdir(mode=0o500)
    site.start(folder(vna))
    uid = site.queue(PatientID="P1")
    wait_until(lambda: site.attempts(uid))
    vna.chmod(0o700)
    wait_until(lambda: site.state(uid) == "delivered")


def test_a_crash_while_writing_leaves_no_file_under_the_final_name(site, vna, wait_until):
    """What a write leaves when it cannot be ended is hidden and no DICOM name."""
    site.start(folder(vna, "{SOPInstanceUID}.dcm"))
    lost = site.queue()
    wait_until(lambda: site.state(lost) == "delivered")
    [source] = (site.spool.directory / "files").glob("*/*")
    (vna / f"{lost}.dcm").unlink()
    site.deliveries.stop(10)
    source.write_bytes(source.read_bytes()[:20])
    again = site.queue()
    site.start(folder(vna, "{SOPInstanceUID}.dcm"))
    wait_until(lambda: site.state(again) == "delivered")
    assert [path.name for path in files(vna)] == [f"{again}.dcm"]
