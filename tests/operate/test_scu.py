"""The commands that query and retrieve, against DCMTK's dcmqrscp: what they print, exit codes."""

import csv
import json

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread

from router.dataset import attributes, scan_segments
from router.operate.cli import main
from router.query.client import add_key, encoded, plain
from tests.query.peers import Dcmqrscp
from tests.story.sending import content, generate

EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def ports(free_port):
    return [free_port(), free_port()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory, ports, dcmtk):
    """A dcmqrscp with two studies, which moves to CLIENT on the second port."""
    directory = tmp_path_factory.mktemp("archive")
    peer = Dcmqrscp(directory / "PACS", ports[0], "PACS", {"CLIENT": ports[1]}).start()
    peer.files = {}
    for name, count in (("Doe^Jane", 3), ("Roe^Jim", 2)):
        files = generate(
            directory / name, count, 64, PatientName=name, PatientID=name[0], StudyDate="20240101",
            StudyTime="120000", AccessionNumber="", StudyID="1", SeriesNumber="1",
        )  # fmt: skip
        peer.fill(*files)
        peer.files[name] = files
    yield peer
    peer.close()


@pytest.fixture
def pacs(archive, tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DICOM_ROUTER_CONFIG", raising=False)
    return f"PACS@127.0.0.1:{archive.port}"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def study_of(archive, name: str) -> str:
    return str(dcmread(archive.files[name][0]).StudyInstanceUID)


def test_find_prints_a_table_of_what_matches(pacs, archive):
    done = run("find", pacs, "-k", "PatientName=Doe*")
    assert done.exit_code == 0, done.output
    header, row = done.stdout.splitlines()
    assert header.split()[:3] == ["PatientID", "PatientName", "StudyDate"]
    assert row.split()[:3] == ["D", "Doe^Jane", "20240101"]
    assert row.endswith(study_of(archive, "Doe^Jane"))
    assert "1 found" in done.stderr


def test_find_as_json_and_csv_is_for_scripts(pacs):
    found = run("find", pacs, "--json", "--only", "-k", "PatientName", "-k", "0010,0020=D")
    assert json.loads(found.stdout) == [
        {"QueryRetrieveLevel": "STUDY", "RetrieveAETitle": "PACS",
         "PatientName": "Doe^Jane", "PatientID": "D"}
    ]  # fmt: skip
    table = run("find", pacs, "--csv", "--level", "patient", "--only", "-k", "PatientID")
    assert table.exit_code == 0
    rows = list(csv.DictReader(table.stdout.splitlines()))
    assert sorted(row["PatientID"] for row in rows) == ["D", "R"]


def test_find_at_the_level_of_images_and_no_further_than_its_limit(pacs, archive):
    study = f"StudyInstanceUID={study_of(archive, 'Doe^Jane')}"
    done = run("find", pacs, "--level", "image", "-k", study, "-k", "SeriesInstanceUID", "--json")
    assert done.exit_code == 0, done.output
    uids = {str(dcmread(path).SOPInstanceUID) for path in archive.files["Doe^Jane"]}
    assert {match["SOPInstanceUID"] for match in json.loads(done.stdout)} == uids
    limited = run("find", pacs, "--level", "image", "-k", study, "--limit", 2, "--json")
    assert limited.exit_code == 0
    assert len(json.loads(limited.stdout)) == 2


def test_get_writes_what_was_stored(pacs, archive, tmp_path):
    study = study_of(archive, "Doe^Jane")
    done = run("get", pacs, tmp_path / "got", "-k", f"StudyInstanceUID={study}")
    assert done.exit_code == 0, done.output
    assert done.stdout == "C-GET ended with 0x0000: 3 completed, 3 received\n"
    kept = sorted(map(content, (tmp_path / "got").iterdir()))
    assert kept == sorted(map(content, archive.files["Doe^Jane"]))


def test_move_receives_what_it_asked_for_itself(pacs, archive, ports, tmp_path):
    done = run(
        "move", pacs, "--receive", tmp_path / "got", "--port", ports[1], "--bind", "127.0.0.1",
        "--calling-ae-title", "CLIENT", "--json",
        "-k", f"StudyInstanceUID={study_of(archive, 'Doe^Jane')}",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["received"] == 3
    kept = sorted(map(content, (tmp_path / "got").iterdir()))
    assert kept == sorted(map(content, archive.files["Doe^Jane"]))


def test_move_to_somebody_else_tells_how_it_ended(pacs, archive, tmp_path):
    study = f"StudyInstanceUID={study_of(archive, 'Roe^Jim')}"
    unknown = run("move", pacs, "--to", "NOBODY", "-k", study)
    assert unknown.exit_code == 1
    assert unknown.stdout == "C-MOVE ended with 0xA801\n"


def test_a_destination_is_asked_where_its_query_service_is(pacs, archive, tmp_path):
    query = f"{{ae_title: PACS, port: {archive.port}}}"
    (tmp_path / "config.yaml").write_text(
        "listeners: {main: {bind: 127.0.0.1}}\n"
        f"destinations: {{pacs: {{ae_title: STORE, host: 127.0.0.1, port: 1, query: {query}}}}}\n"
    )
    done = run("find", "pacs", "-k", "PatientID=D", "--json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["find", "-k", "PatientNme=x"], "did you mean PatientName?"),
        (["find", "-k", "Rows=many"], "no value of Rows"),
        (["find", "-k", "RequestAttributesSequence=1"], "is a sequence"),
        (["get", "got"], "needs its unique key: -k StudyInstanceUID=..."),
        (["move", "-k", "StudyInstanceUID=1.2"], "say where it goes"),
    ],
)
def test_wrong_usage_says_what_to_write(pacs, arguments, said):
    command, *rest = arguments
    done = run(command, pacs, *rest)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_peer_that_is_not_there_is_a_failure(free_port):
    done = run("find", f"PACS@127.0.0.1:{free_port()}", "-k", "PatientID=1")
    assert done.exit_code == 1
    assert "cannot connect" in done.stderr


def test_keys_are_elements_tags_or_paths_through_sequences():
    keys = {}
    for text in (
        "PatientName=Müller*",
        "(0008,0050)=A=1",
        "0020,000D=1.2\\1.3",
        "ScheduledProcedureStepSequence[0].Modality=CT",
        "ScheduledProcedureStepSequence.ScheduledStationAETitle",
        "0040,0100.0040,0009=STEP",
        "(0009,10,ACME 1)=x",
        "Rows=512",
        "ReferencedStudySequence",
    ):
        add_key(keys, text)
    scan = scan_segments([encoded(keys)], EXPLICIT)
    assert plain(attributes(scan)) == {
        "(0009,0010)": "ACME 1",
        "(0009,1010)": "x",
        "AccessionNumber": "A=1",
        "ReferencedStudySequence": [],
        "PatientName": "Müller*",
        "StudyInstanceUID": ["1.2", "1.3"],
        "Rows": "512",
        "ScheduledProcedureStepSequence": [
            {"Modality": "CT", "ScheduledStationAETitle": "", "ScheduledProcedureStepID": "STEP"}
        ],
    }
