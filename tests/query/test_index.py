"""A router without any PACS as a small archive: real clients store, query and retrieve."""

import json
import socket
import threading
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from tests.story.peers import RunningRouter, StoreScp, until
from tests.story.sending import content, generate

from .peers import getscu, movescu
from .test_move import uid_of

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna, index: true}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
{destinations}
routes:
  - {{name: keep, to: [vna]}}
query_retrieve:
  - name: all
    listener: main
    upstreams: [{upstreams}]
    accept: {{calling_ae_titles: [WS1]}}
    move_destinations: [ws1]
  - name: changed
    listener: main
    upstreams: [vna]
    accept: {{calling_ae_titles: [CHANGED]}}
    chain: [{{set: {{InstitutionName: RETRIEVED}}}}]
"""
STUDY = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "NumberOfStudyRelatedInstances"]


@pytest.fixture
def small_archive(run_router, storescp):
    """A router with an index, given instances; and a workstation that it may send to."""

    def build(*folders, destinations="", upstreams="vna"):
        ws1 = storescp("WS1")
        config = CONFIG.format(ws1=ws1.port, destinations=destinations, upstreams=upstreams)
        router = run_router(config)
        store(router, *folders)
        return router, ws1

    return build


@pytest.fixture(scope="module")
def built(tmp_path_factory, dcmtk):
    directory = tmp_path_factory.mktemp("vna")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ws1 = StoreScp(directory / "WS1", port, "WS1").start()
    config = CONFIG.format(ws1=port, destinations="", upstreams="vna")
    (directory / "router").mkdir()
    router = RunningRouter(directory / "router", config).start()
    yield router, ws1
    router.close()
    ws1.close()


@pytest.fixture
def vna(built):
    """One router for tests whose patients are their own: store folders, get router and WS1."""

    def fill(*folders):
        store(built[0], *folders)
        return built

    return fill


def store(router, *folders) -> None:
    for folder in folders:
        target = f"ROUTER@127.0.0.1:{router.port('main')}"
        router.command("send", target, str(folder), check=True)
    sent = {path.name for folder in folders for path in folder.iterdir()}
    until(lambda: sent <= {path.name for path in kept(router)}, "not written")
    until(lambda: not waiting(router), "not delivered")


def kept(router) -> list[Path]:
    return list((router.directory / "vna").rglob("*.dcm"))


def waiting(router) -> int:
    return sum(each["queued"] for each in router.ask("status")["summary"]["destinations"])


def keys(matches, *keywords) -> list[tuple]:
    return sorted(tuple(str(match.get(each, "")) for each in keywords) for match in matches)


def test_every_level_is_answered_as_its_files_say(vna, find, tmp_path):
    doe = {"StudyDate": "20240101", "PatientName": "Doe^Jane", "PatientID": "L-1"}
    one = generate(tmp_path / "one", 3, 64, **doe)
    generate(tmp_path / "two", 2, 64, StudyDate="20250101", PatientName="Doe^Jim", PatientID="L-2")
    router, _ = vna(tmp_path / "one", tmp_path / "two")
    port = router.port("main")
    answer = find(port, *STUDY, "PatientName=doe*", "StudyDate=-20241231", "ModalitiesInStudy")
    assert answer.status == 0
    [match] = answer.matches
    assert (match.StudyInstanceUID, match.ModalitiesInStudy) == (uid_of(one[0]), "CT")
    assert match.NumberOfStudyRelatedInstances == 3
    assert match.RetrieveAETitle == "ROUTER"
    patients = find(port, "QueryRetrieveLevel=PATIENT", "PatientID=L-?", "PatientName", model="-P")
    assert keys(patients.matches, "PatientID") == [("L-1",), ("L-2",)]
    study = f"StudyInstanceUID={uid_of(one[0])}"
    series = find(
        port, "QueryRetrieveLevel=SERIES", study, "SeriesInstanceUID",
        "NumberOfSeriesRelatedInstances", "InstanceAvailability",
    )  # fmt: skip
    assert keys(series.matches, "NumberOfSeriesRelatedInstances", "InstanceAvailability") == [
        ("3", "ONLINE")
    ]
    images = find(port, "QueryRetrieveLevel=IMAGE", study, "SOPInstanceUID", "Rows", "Columns")
    assert keys(images.matches, "SOPInstanceUID", "Rows") == sorted(
        (str(dcmread(path).SOPInstanceUID), str(dcmread(path).Rows)) for path in one
    )


def test_what_was_stored_is_had_again_by_c_get_and_c_move(vna, tmp_path):
    files = generate(tmp_path / "one", 5)
    generate(tmp_path / "other", 2)
    router, ws1 = vna(tmp_path / "one", tmp_path / "other")
    before = len(kept(router))
    wanted = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}")
    got = tmp_path / "got"
    assert getscu(got, router.port("main"), *wanted).counts()["completed"] == 5
    assert sorted(map(content, got.iterdir())) == sorted(map(content, files))
    moved = movescu(router.port("main"), *wanted)
    assert moved.counts()["completed"] == 5
    until(lambda: len(ws1.files()) == 5, "not moved")
    assert sorted(map(content, ws1.files())) == sorted(map(content, files))
    assert len(kept(router)) == before  # it is not stored again


def test_names_in_any_character_set_are_one_answer(vna, find, tmp_path):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    generate(tmp_path / "a", 1, 64, SpecificCharacterSet="ISO_IR 192", PatientName=name)
    japanese = ["", "ISO 2022 IR 87"]
    generate(tmp_path / "b", 1, 64, SpecificCharacterSet=japanese, PatientName=name)
    router, _ = vna(tmp_path / "a", tmp_path / "b")
    answer = find(router.port("main"), *STUDY, "PatientName=yamada*", "PatientID")
    assert [str(match.PatientName) for match in answer.matches] == [name, name]
    assert {str(match.SpecificCharacterSet) for match in answer.matches} == {"ISO_IR 192"}


def test_a_pynetdicom_client_gets_sequences_and_what_only_the_header_has(vna, tmp_path):
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "STEP1", "RP1"
    other = Dataset()
    other.ScheduledProcedureStepID, other.RequestedProcedureID = "STEP2", "RP2"
    generate(tmp_path / "one", 1, 64, RequestAttributesSequence=[other, item], KVP="120")
    generate(tmp_path / "two", 1, 64, RequestAttributesSequence=[other])
    router, _ = vna(tmp_path / "one", tmp_path / "two")
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.SOPInstanceUID, asked.KVP = "IMAGE", "", ""
    step = Dataset()
    step.ScheduledProcedureStepID = "STEP1"
    asked.RequestAttributesSequence = [step]
    [match] = ask(router.port("main"), StudyRootQueryRetrieveInformationModelFind, asked)
    assert match.KVP == 120
    steps = [each.ScheduledProcedureStepID for each in match.RequestAttributesSequence]
    assert steps == ["STEP2", "STEP1"]
    assert "RequestedProcedureID" not in match.RequestAttributesSequence[0]
    patient = Dataset()
    patient.QueryRetrieveLevel, patient.PatientID = "PATIENT", "T-?"
    matches = ask(router.port("main"), PatientRootQueryRetrieveInformationModelFind, patient)
    assert len(matches) == 1


def ask(port, model, identifier) -> list[Dataset]:
    ae = AE("WS1")
    ae.add_requested_context(model)
    association = ae.associate("127.0.0.1", port, ae_title="ROUTER")
    assert association.is_established
    responses = list(association.send_c_find(identifier, model))
    association.release()
    assert responses[-1][0].Status == 0
    return [match for _, match in responses[:-1]]


def test_an_index_and_an_archive_are_one_answer(small_archive, archive, find, tmp_path):
    both = generate(tmp_path / "both", 2, 64, StudyDate="20240101")
    only = generate(tmp_path / "only", 1, 64, StudyDate="20240101")
    pacs = archive("PACS")
    pacs.fill(*both, *only)
    router, _ = small_archive(
        tmp_path / "both",
        destinations=f"  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs.port}}}",
        upstreams="vna, pacs",
    )
    answer = find(router.port("main"), *STUDY)
    assert answer.status == 0
    assert keys(answer.matches, "StudyInstanceUID") == sorted(
        [(uid_of(both[0]),), (uid_of(only[0]),)]
    )


def test_after_a_crash_and_after_the_loss_of_the_index_it_is_whole_again(
    small_archive, find, tmp_path
):
    generate(tmp_path / "one", 3, 64)
    router, _ = small_archive(tmp_path / "one")
    router.kill()
    router.start()
    [match] = find(router.port("main"), *STUDY).matches
    assert match.NumberOfStudyRelatedInstances == 3
    router.stop()
    for path in (router.spool / "index").iterdir():
        path.unlink()
    router.start()
    answer = find(router.port("main"), *STUDY)  # nobody is told that there is nothing
    assert answer.status == 0xC000
    assert "index rebuild" in answer.comment
    rebuilt = router.command("index", "rebuild", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    [match] = find(router.port("main"), *STUDY).matches
    assert match.NumberOfStudyRelatedInstances == 3


def test_a_file_that_is_gone_is_a_failure_of_the_retrieve_and_no_match_any_more(
    vna, find, tmp_path
):
    files = generate(tmp_path / "one", 3)
    router, _ = vna(tmp_path / "one")
    next(path for path in kept(router) if path.name == files[0].name).unlink()
    got = router.command(
        "get", f"ROUTER@127.0.0.1:{router.port('main')}", str(tmp_path / "got"), "--json",
        "--calling-ae-title", "WS1", "-k", f"StudyInstanceUID={uid_of(files[0])}",
    )  # fmt: skip
    assert got.returncode == 1
    answer = json.loads(got.stdout)
    assert (answer["status"], answer["failed"], answer["received"]) == (0xB000, 1, 2)
    study = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}", STUDY[2]]
    [match] = find(router.port("main"), *study).matches
    assert match.NumberOfStudyRelatedInstances == 2


def test_what_leaves_an_index_goes_through_the_chain_of_its_entry(vna, tmp_path):
    files = generate(tmp_path / "one", 2)
    router, _ = vna(tmp_path / "one")
    got = tmp_path / "got"
    wanted = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}")
    answer = getscu(got, router.port("main"), *wanted, calling="CHANGED")
    assert answer.counts()["completed"] == 2
    assert {dcmread(path).InstitutionName for path in got.iterdir()} == {"RETRIEVED"}


def test_killed_while_it_stores_the_index_is_what_the_files_are(small_archive, tmp_path):
    for study in range(4):
        generate(tmp_path / "in" / str(study), 15, 64)
    router, _ = small_archive()
    sending = threading.Thread(
        target=router.command,
        args=("send", f"ROUTER@127.0.0.1:{router.port('main')}", str(tmp_path / "in")),
    )
    sending.start()
    until(lambda: len(kept(router)) > 5, "nothing is written")
    router.kill()
    sending.join()
    router.start()
    until(lambda: not waiting(router), "not delivered")
    before = counts(router)
    rebuilt = json.loads(router.command("index", "rebuild", "--json").stdout)["vna"]
    assert (rebuilt["gone"], rebuilt["indexed"]) == (0, len(kept(router)))
    assert counts(router) == before
    assert sum(before.values()) == len(kept(router))


def counts(router) -> dict[str, int]:
    found = router.command(
        "find", f"ROUTER@127.0.0.1:{router.port('main')}", "--calling-ae-title", "WS1", "--json"
    )
    return {
        study["StudyInstanceUID"]: int(study["NumberOfStudyRelatedInstances"])
        for study in json.loads(found.stdout)
    }
