"""The senders and archives that hospitals have, each at its own habits."""

import os
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from .peers import BOUND, until
from .sending import content, generate
from .test_as_it_came import fingerprints

TO_FOLDER = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  modalities: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  vna: {type: folder, directory: ./vna, path: "{SOPInstanceUID}.dcm"}
routes:
  - {name: everything, to: [vna]}
"""


def kept(router) -> list[Path]:
    return list((router.directory / "vna").glob("*.dcm"))


def test_pynetdicom_sends_every_transfer_syntax_it_can_write(run_router, data):
    router = run_router(TO_FOLDER)
    wanted = ("HTJ2K_08_RGB.dcm", "JPEG-LL.dcm", "emri_small_RLE.dcm", "liver.dcm", "MR2_J2KR.dcm")
    files = [data / "pydicom_data" / name for name in wanted]
    sent = [dcmread(path) for path in files]
    client = AE("CT1")
    for dataset in sent:
        client.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = client.associate("127.0.0.1", router.port("modalities"), ae_title="ROUTER")
    assert association.is_established
    statuses = [association.send_c_store(dataset).Status for dataset in sent]
    association.release()
    assert statuses == [0] * len(files)
    until(lambda: len(kept(router)) == len(files), "all are in the folder")
    syntaxes = {str(dataset.file_meta.TransferSyntaxUID) for dataset in sent}
    assert {mark[1] for mark in fingerprints(kept(router))} == syntaxes


@pytest.mark.parametrize("nodelay", ["0", "1"])
def test_dcmsend_sends_a_study_with_and_without_nagles_algorithm(
    run_router, dcmtk, tmp_path, nodelay
):
    router = run_router(TO_FOLDER)
    files = generate(tmp_path / "sent", 20, pixels=30_000)
    asked = ["dcmsend", "-v", "+sd", "-aec", "ROUTER", "-aet", "CT1", "127.0.0.1"]
    sent = subprocess.run(
        [*asked, str(router.port("modalities")), str(tmp_path / "sent")],
        env={**os.environ, "TCP_NODELAY": nodelay},
        capture_output=True,
        timeout=BOUND,
    )
    assert sent.returncode == 0, sent.stderr
    until(lambda: len(kept(router)) == len(files), "all are in the folder")


def test_orthanc_gets_a_study_and_its_own_answers_are_in_the_trail(
    run_router, run_orthanc, tmp_path
):
    orthanc = run_orthanc("ORTHANC")
    router = run_router(f"""\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  orthanc: {{ae_title: ORTHANC, host: 127.0.0.1, port: {orthanc.port}}}
routes:
  - {{name: everything, to: [orthanc]}}
""")
    files = generate(tmp_path / "sent", 30, pixels=10_000)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", target, str(tmp_path / "sent"), check=True)
    until(lambda: len(orthanc.instances()) == 30, "Orthanc has all of them")
    told = {
        orthanc.get(f"/instances/{each}")["MainDicomTags"]["SOPInstanceUID"]
        for each in orthanc.instances()
    }
    assert told == {path.stem for path in files}
    until(lambda: "0x0000" in router.command("where", files[0].stem).stdout, "its answer is there")


def test_orthanc_sends_through_the_router(run_router, run_orthanc, tmp_path, free_port):
    orthanc = run_orthanc("ORTHANC")
    router = run_router(TO_FOLDER)
    files = generate(tmp_path / "sent", 10, pixels=10_000)
    for path in files:
        orthanc.post("/instances", path.read_bytes())
    peer = {"AET": "ROUTER", "Host": "127.0.0.1", "Port": router.port("modalities")}
    orthanc.put("/modalities/router", peer)
    orthanc.post("/modalities/router/store", orthanc.instances())
    until(lambda: len(kept(router)) == len(files), "all are in the folder")
    assert {uid for uid, _ in map(content, kept(router))} == {path.stem for path in files}


def test_several_listeners_answer_to_their_own_ae_titles(run_router, dcmtk):
    router = run_router("""\
spool: {directory: ./spool, keep_free: 0}
listeners:
  one: {ae_title: [ONE, EINS], port: 0, bind: 127.0.0.1}
  any: {ae_title: "*", port: 0, bind: 127.0.0.1, accept: {calling_ae_titles: ["CT*"]}}
""")

    def echo(listener: str, called: str, calling: str = "CT1") -> bool:
        asked = [
            "echoscu",
            "-aec",
            called,
            "-aet",
            calling,
            "127.0.0.1",
            str(router.port(listener)),
        ]
        return subprocess.run(asked, capture_output=True, timeout=BOUND).returncode == 0

    assert echo("one", "ONE")
    assert echo("one", "EINS")
    assert not echo("one", "TWO")
    assert echo("any", "WHATEVER")
    assert not echo("any", "WHATEVER", calling="MR1")
