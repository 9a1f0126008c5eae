"""Objects whose identity was rewritten are as valid as they were: judged by dciodvfy."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pydicom
import pytest

from router.dataset import FileRange, open_part10, rescan
from router.instance import Instance, Source
from router.routing.build import Plugins
from router.routing.run import run_chain
from router.routing.spec import chain_spec
from router.spool.records import Processed
from tests.conftest import require
from tests.routing.helpers import RECEIVED, association, read_config

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = """
routes:
  - name: r
    chain:
      - hash:
          elements:
            [PatientID, AccessionNumber, SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID,
             FrameOfReferenceUID, "**.ReferencedSOPInstanceUID", "**.ReferencedFrameOfReferenceUID",
             "**.RequestAttributesSequence.StudyInstanceUID"]
          secret: 0123456789abcdef
      - set: {PatientName: "SUBJECT^{PatientID}"}
        when: {PatientID: "*"}
      - prefix: {StudyID: X}
        when: {not: {StudyID: "???????????????*"}}
      - copy: {PatientComments: StudyID}
      - replace: {"**.PatientName": {expression: "[=^]+$", with: ""}}
      - private: []
    to: [pacs]
"""
SAMPLE = 30  # of the files a run without `soak` looks at

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def validator() -> None:
    require(shutil.which("dciodvfy") is not None, "dciodvfy is not installed")


def files(data: Path) -> list[Path]:
    found = [
        path
        for path in sorted(data.rglob("*"))
        if "malformed" not in path.parts
        and path.is_file()
        and path.read_bytes()[128:132] == b"DICM"
    ]
    return [path for path in found if "too_short" not in path.name]


def errors(path: Path) -> set[str]:
    """What dciodvfy finds wrong, without the values it found."""
    said = subprocess.run(["dciodvfy", path], capture_output=True, check=False, timeout=120)
    lines = (said.stderr + said.stdout).decode("latin-1").splitlines()
    return {
        re.sub(r"<[^>]*>|\[\d+\]|= .*", "", line).strip()
        for line in lines
        if line.startswith("Error")
    }


def rewrite(path: Path, folder: Path) -> Path:
    """The file as the chain makes it, as it would be stored."""
    config = read_config(folder, CHAIN)
    spec = chain_spec(config.routes[0].chain, config)
    part10 = open_part10(path)
    where = FileRange(str(path), part10.dataset_offset, part10.length)
    scan = rescan(where.path, where.offset, where.length, part10.transfer_syntax)
    source = Source((where,), scan)
    own, received = (
        Instance(source, association=association(), route="r", received=RECEIVED) for _ in range(2)
    )
    chain = Plugins(folder / "plugins").chain(spec)
    outcome = run_chain(chain, spec, own, received, ["pacs"])
    assert isinstance(outcome, Processed), outcome
    target = folder / "rewritten.dcm"
    with own.open() as content:
        target.write_bytes(content.read())
    meta = pydicom.dcmread(target, stop_before_pixels=True)
    assert meta.file_meta.MediaStorageSOPInstanceUID == meta.SOPInstanceUID
    assert meta.file_meta.MediaStorageSOPInstanceUID == outcome.sop_instance_uid
    assert meta.file_meta.MediaStorageSOPClassUID == meta.SOPClassUID == outcome.sop_class_uid
    assert meta.SOPInstanceUID.startswith("2.25.")
    return target


def check(paths: list[Path], folder: Path) -> None:
    new = {}
    for path in paths:
        found = errors(rewrite(path, folder)) - errors(path)
        if found:
            new[path.name] = found
    assert new == {}


def test_a_sample_of_files_has_no_new_errors(data, tmp_path):
    alike = files(data / "mr_series")
    others = [path for path in files(data) if path not in alike]
    check([*random.Random(5).sample(others, SAMPLE), alike[0]], tmp_path)


@pytest.mark.soak
def test_no_file_has_new_errors(data, tmp_path):
    check(files(data), tmp_path)
