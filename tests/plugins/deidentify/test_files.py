"""Real files: still valid afterwards, nothing left that another anonymizer takes away."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path

import dicomanonymizer.simpledicomanonymizer as oracle
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from router.plugins.deidentify import Deidentify

from router import Hold
from router.dataset import FileRange, open_part10, scan_segments
from router.instance import Instance, Source
from router.testing import make_instance
from tests.conftest import require
from tests.plugins.deidentify.making import FULL, MODIFIED, SECRET, leaving

NAMES = [
    *("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm"),
    *("test-SR.dcm", "waveform_ecg.dcm", "liver_1frame.dcm", "rtdose_1frame.dcm"),
    "examples_overlay.dcm",
]
RETAIN = [
    *("retain_uids", "retain_device_identity", "retain_institution_identity", FULL),
    *("retain_patient_characteristics", "retain_safe_private"),
]
CLEAN = ["clean_descriptors", "clean_structured_content", "clean_graphics", MODIFIED]


class Any:
    def matches(self, _instance: object) -> bool:
        return True


RULES = [{"when": Any(), "blank": []}, {"when": Any(), "document": "replace"}]


def from_file(path: Path, folder: Path) -> Instance:
    made = make_instance(Dataset(), folder)
    part10 = open_part10(path)
    received = FileRange(str(path), part10.dataset_offset, part10.length)
    source = Source((received,), scan_segments((received,), part10.transfer_syntax))
    return Instance(
        source,
        association=made.association,
        route=made.route,
        received=made.received,
        workspace=folder / "workspace",
    )


def deidentified(path: Path, folder: Path, options: list[str]) -> Instance:
    plugin = Deidentify(SECRET, options=options, pixels=RULES)
    instance = from_file(path, folder)
    plugin.rewrite_instance(instance)
    instance.seal()
    plugin.verify_instance(instance)
    return instance


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # the oracle's
@pytest.mark.parametrize("name", NAMES)
def test_what_dicom_anonymizer_takes_away_is_gone(tmp_path, name):
    path = get_testdata_file(name)
    came = pydicom.dcmread(path)
    theirs = copy.deepcopy(came)
    oracle.anonymize_dataset(
        theirs, base_rules_gen=lambda: oracle.initialize_actions("dicomfields_2026c")
    )
    ours = leaving(deidentified(Path(path), tmp_path, []))
    left = [
        str(tag)
        for tag in came.keys()  # noqa: SIM118 - as tags
        if (tag not in theirs or theirs[tag] != came[tag])
        and tag in ours
        and came[tag].value
        and ours[tag] == came[tag]
    ]
    assert left == []


@pytest.fixture
def dciodvfy() -> None:
    require(shutil.which("dciodvfy") is not None, "dicom3tools is not installed")


def errors(path: Path) -> set[str]:
    """What dciodvfy calls errors, without values and UIDs."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace")
    lines = done.stderr.splitlines()
    return {re.sub(r"<[^>]*>|\d+(\.\d+)+", "", line) for line in lines if line[:5] == "Error"}


def check_validity(path: Path, folder: Path, options: list[str]) -> list[str]:
    try:
        instance = deidentified(path, folder, options)
    except Hold as hold:
        return [] if "cannot be walked" in hold.reason else [hold.reason]
    out = folder / "out.dcm"
    with instance.open() as file:
        out.write_bytes(file.read())
    return sorted(errors(out) - errors(path))


@pytest.mark.parametrize("options", [[], RETAIN, CLEAN], ids=["basic", "retain", "clean"])
@pytest.mark.parametrize("name", NAMES)
def test_an_object_is_as_valid_as_it_was(dciodvfy, tmp_path, name, options):
    path = Path(get_testdata_file(name))
    assert check_validity(path, tmp_path, options) == []


@pytest.mark.soak
@pytest.mark.parametrize("options", [[], CLEAN], ids=["basic", "clean"])
@pytest.mark.parametrize("folder", ["wg04", "pydicom_data", "dcmqi"])
def test_every_shared_file_is_as_valid_as_it_was(dciodvfy, data, tmp_path, folder, options):
    wrong = {}
    for path in sorted((data / folder).rglob("*")):
        if path.is_file() and is_dicom(path) and (told := check_validity(path, tmp_path, options)):
            wrong[path.name] = told
    assert wrong == {}


def is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


@pytest.mark.soak
def test_hostile_files_are_held_or_leave_without_their_identity(data, tmp_path):
    for path in sorted((data / "malformed").rglob("*.dcm")):
        try:
            instance = deidentified(path, tmp_path, [])
        except (Hold, ValueError, OSError):
            continue
        assert instance.dataset.PatientIdentityRemoved == "YES"
