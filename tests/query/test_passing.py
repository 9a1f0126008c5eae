"""What is for one requestor only leaves as it arrives: true trails, no file, any form."""

import json

import pydicom
import pytest
from pydicom.uid import RLELossless

from router.spool import LARGEST_PASSING
from tests.story.peers import until
from tests.story.sending import content, generate

from .scripted import Scripted, moving
from .test_habits import counts, move, uid_of

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
query_retrieve:
  - name: workstations
    listener: main
    upstreams: [pacs]
    accept: {{calling_ae_titles: [WS1]}}
    deadline: 20 s
    move_destinations: [ws1]
"""


@pytest.fixture
def between(run_router, storescp):
    """Starts a router between an archive and a workstation with options of its own."""
    pacs = Scripted()

    def start(*options: str):
        ws1 = storescp("WS1", *options)
        router = run_router(CONFIG.format(pacs=pacs.port, ws1=ws1.port))
        return pacs, router, ws1

    yield start
    pacs.close()


def trails(router, uid: str) -> list[dict]:
    return json.loads(router.command("where", uid, "--json").stdout)["instances"]


def test_small_and_large_ones_arrive_and_their_trails_say_so(between, tmp_path):
    pacs, router, ws1 = between()
    files = generate(tmp_path / "in", 12)
    study = uid_of(files[0])
    files += generate(tmp_path / "large", 1, 2 * LARGEST_PASSING, StudyInstanceUID=study)
    pacs.move = moving(router.port("main"), files)
    *_, last = move(router.port("main"), study)
    assert (last.status, counts(last)) == (0, (13, 0, 0))
    assert sorted(map(content, ws1.files())) == sorted(map(content, files))
    until(lambda: len(trails(router, study)) == 13, "all are recorded")
    for path in files[-3:]:
        [found] = trails(router, uid_of(path, "SOPInstanceUID"))
        assert found["kept"] is (path == files[-1])
        [delivery] = found["deliveries"]
        assert delivery["state"] == "delivered"
        assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["delivered"]


def test_a_requestor_of_few_transfer_syntaxes_gets_them_in_one_of_its_own(between, tmp_path):
    pacs, router, ws1 = between("+xi")
    files = generate(tmp_path / "in", 2)
    compressed = pydicom.dcmread(files[1])
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.save_as(files[1])
    pacs.move = moving(router.port("main"), files)
    *_, last = move(router.port("main"), uid_of(files[0]))
    assert (last.status, counts(last)) == (0, (2, 0, 0))
    pixels = {uid_of(path, "SOPInstanceUID"): pydicom.dcmread(path).pixel_array for path in files}
    for path in ws1.files():
        arrived = pydicom.dcmread(path)
        assert arrived.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        assert (arrived.pixel_array == pixels.pop(arrived.SOPInstanceUID)).all()
    assert not pixels
