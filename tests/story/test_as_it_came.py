"""Real objects from real senders arrive everywhere as they were sent, byte for byte."""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from router.dataset import open_part10, read_segments
from router.dataset.segments import FileRange

from .peers import BOUND, DICOM_ROUTER, storescu, until

# Transfer syntaxes younger than DCMTK 3.6.7, whose storescp and dcmsend do not know them.
UNKNOWN_TO_DCMTK = ("1.2.840.10008.1.2.4.20", "1.2.840.10008.1.2.8.1")
DEFLATED = "1.2.840.10008.1.2.1.99"

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  one: {{ae_title: ONE, host: 127.0.0.1, port: {one}, retry: {{first: 1 s}}, loop_guard: 100}}
  two: {{ae_title: TWO, host: 127.0.0.1, port: {two}, retry: {{first: 1 s}}, loop_guard: 100}}
  vna:
    type: folder
    directory: ./vna
    path: "{{SOPInstanceUID}}/{{received}}.dcm"
    loop_guard: 100
routes:
  - {{name: everything, to: [one, two, vna]}}
"""


Fingerprint = tuple[str, str, str]


def fingerprints(files: Iterable[Path]) -> set[Fingerprint]:
    """SOP Instance UID, transfer syntax and hash of the data set's bytes of every file."""
    found = set()
    for path in files:
        part10 = open_part10(path)
        content = hashlib.sha256()
        for piece in read_segments([FileRange(str(path), part10.dataset_offset, part10.length)]):
            content.update(piece)
        found.add((part10.sop_instance_uid, part10.transfer_syntax, content.hexdigest()))
    return found


def sendable(folder: Path) -> list[Path]:
    """The files of a folder that are whole DICOM files with a data set a C-STORE may carry."""
    good = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            part10 = open_part10(path)
        except ValueError:
            continue
        media_directory = part10.sop_class_uid == "1.2.840.10008.1.3.10"
        if part10.sop_instance_uid and not media_directory and part10.length:
            good.append(path)
    return good


@pytest.fixture
def everywhere(run_router, storescp):
    """A router to two storescp and a folder, and what each of the three has by now."""
    one, two = storescp("ONE", "+uf"), storescp("TWO", "+uf")
    router = run_router(CONFIG.format(one=one.port, two=two.port))
    vna = router.directory / "vna"

    def arrived() -> list[set[Fingerprint]]:
        return [fingerprints(files) for files in (one.files(), two.files(), vna.rglob("*.dcm"))]

    return router, arrived


def waiting(router) -> int:
    return sum(each["queued"] for each in router.ask("status")["summary"]["destinations"])


def test_a_series_of_600_arrives_in_two_archives_and_a_folder_as_storescu_sent_it(
    everywhere, storescp, data
):
    router, arrived = everywhere
    direct = storescp("DIRECT")
    series = data / "mr_series"
    assert storescu(direct.port, "+sd", "+sp", "MR*", series).returncode == 0
    assert storescu(router.port("modalities"), "+sd", "+sp", "MR*", series).returncode == 0
    sent = fingerprints(direct.files())
    assert len(sent) == 600
    until(lambda: not waiting(router), "everything is delivered")
    assert arrived() == [sent] * 3


@pytest.mark.parametrize("folder", ["wg04", "pydicom_data"])
def test_every_kind_of_object_arrives_as_our_own_sender_sent_it(everywhere, data, folder):
    router, arrived = everywhere
    files = [
        path
        for path in sendable(data / folder)
        if not open_part10(path).transfer_syntax.startswith(UNKNOWN_TO_DCMTK)
        and open_part10(path).transfer_syntax != DEFLATED
    ]
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    asked = [*DICOM_ROUTER, "send", "--json", target, *map(str, files)]
    sent = subprocess.run(asked, capture_output=True, timeout=BOUND * 5)
    results = json.loads(sent.stdout)["files"]
    assert len(results) == len(files)
    accepted = [Path(each["path"]) for each in results if each["status"] == 0]
    assert len(accepted) >= len(files) - 2, [each for each in results if each["error"]]
    until(lambda: not waiting(router), "everything is delivered", BOUND * 2)
    expected = fingerprints(accepted)
    for number, there in enumerate(arrived()):
        assert there - expected == set()
        assert (number, expected - there) == (number, set()), router.ask("status")["summary"]
