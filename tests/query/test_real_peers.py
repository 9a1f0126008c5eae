"""Real archives and real clients: through the router the answer is the one they give directly."""

import subprocess
import sys

import pytest
from pydicom import dcmread

from tests.story.peers import until
from tests.story.sending import content, generate

from .peers import findscu, getscu, movescu
from .test_move import uid_of

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  first: {{ae_title: FIRST, host: 127.0.0.1, port: {first}}}
  second: {{ae_title: SECOND, host: 127.0.0.1, port: {second}{query}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
query_retrieve:
  - name: all
    listener: main
    upstreams: [first, second]
    accept: {{calling_ae_titles: [WS1]}}
    move_destinations: [ws1]
  - name: one
    listener: main
    upstreams: [second]
    accept: {{calling_ae_titles: [ONE]}}
    move_destinations: [ws1]
"""
KEYS = {
    "STUDY": ["StudyInstanceUID", "PatientName", "PatientID", "StudyDate", "AccessionNumber"],
    "SERIES": ["StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber"],
    "IMAGE": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber"],
}


@pytest.fixture
def orthancs(run_orthanc, run_router, storescp, free_port, tmp_path):
    """Two Orthancs with different studies of one patient, and one study in both."""
    port = free_port()
    first, second, ws1 = run_orthanc("FIRST"), run_orthanc("SECOND"), storescp("WS1")
    for orthanc in (first, second):
        for name, peer in (("ROUTER", port), ("WS1", ws1.port), ("ONE", ws1.port)):
            orthanc.put(f"/modalities/{name}", [name, "127.0.0.1", peer])
    config = CONFIG.format(port=port, first=first.port, second=second.port, ws1=ws1.port, query="")
    run_router(config)
    studies = {name: generate(tmp_path / name, 3, 64, StudyDate="20240101") for name in "abc"}
    for orthanc, names in ((first, "ab"), (second, "bc")):
        for file in (file for name in names for file in studies[name]):
            orthanc.post("/instances", file.read_bytes())
    return port, first, second, ws1, studies


def elements(path):
    """It writes anew what it was sent: the bytes are others."""
    return str(list(dcmread(path)))


def comparable(matches):
    for match in matches:
        for keyword in ("RetrieveAETitle", "SpecificCharacterSet"):
            match.pop(keyword, None)
    return sorted(str(list(match)) for match in matches)


def test_two_orthancs_are_queried_and_retrieved_as_one_archive(orthancs, tmp_path):
    port, first, second, ws1, studies = orthancs
    for level, keywords in KEYS.items():
        keys = [f"QueryRetrieveLevel={level}", *keywords]
        if level != "STUDY":
            keys[1] = f"StudyInstanceUID={uid_of(studies['c'][0])}"
        if level == "IMAGE":
            keys[2] = f"SeriesInstanceUID={uid_of(studies['c'][0], 'SeriesInstanceUID')}"
        through = findscu(tmp_path / "through", port, *keys, calling="ONE")
        direct = findscu(tmp_path / "direct", second.port, *keys, calling="ONE", called="SECOND")
        assert through.status == direct.status == 0
        assert direct.matches
        assert comparable(through.matches) == comparable(direct.matches)
    merged = findscu(tmp_path / "merged", port, "QueryRetrieveLevel=STUDY", "StudyInstanceUID")
    expected = sorted(uid_of(files[0]) for files in studies.values())
    assert sorted(match.StudyInstanceUID for match in merged.matches) == expected
    for name, files in studies.items():
        asked = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}"
        answer = movescu(port, *asked)
        assert (answer.status, answer.counts()["completed"]) == (0, 3)
        got = tmp_path / f"got-{name}"
        answer = getscu(got, port, *asked)
        assert (answer.status, answer.counts()["completed"]) == (0, 3)
        assert sorted(map(content, got.iterdir())) == sorted(map(content, files))
    everything = [content(file) for files in studies.values() for file in files]
    assert sorted(map(content, ws1.files())) == sorted(everything)


@pytest.fixture
def qrscp(tmp_path, started, free_port, dcmtk):
    """pynetdicom's own archive, which knows where the router is."""

    def run(ae_title, **knows):
        directory = tmp_path / ae_title
        directory.mkdir()
        port = free_port()
        peers = "".join(
            f"[{name}]\naddress: 127.0.0.1\nport: {peer}\n" for name, peer in knows.items()
        )
        (directory / "qrscp.ini").write_text(
            f"[DEFAULT]\nae_title: {ae_title}\nport: {port}\nmax_pdu: 131072\nacse_timeout: 30\n"
            "dimse_timeout: 30\nnetwork_timeout: 30\nbind_address: 127.0.0.1\n"
            f"instance_location: {directory}/instances\n"
            f"database_location: {directory}/instances.sqlite\n{peers}"
        )
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pynetdicom", "qrscp", "-c", str(directory / "qrscp.ini")],
                stdout=log, stderr=log,
            )  # fmt: skip
        started.append(_Ended(process))
        echo = ["echoscu", "-aec", ae_title, "127.0.0.1", str(port)]
        until(
            lambda: subprocess.run(echo, capture_output=True).returncode == 0,
            f"qrscp: {(directory / 'log').read_text()}",
        )
        return port

    return run


class _Ended:
    def __init__(self, process) -> None:
        self.process = process

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("query", ["", ", query: {retrieve: get}"], ids=["move", "get"])
def test_pynetdicoms_archive_is_queried_and_retrieved(
    qrscp, run_router, storescp, free_port, tmp_path, query
):
    port, ws1 = free_port(), storescp("WS1")
    archive = qrscp("SECOND", ROUTER=port)
    run_router(
        CONFIG.format(port=port, first=free_port(), second=archive, ws1=ws1.port, query=query)
    )
    files = generate(tmp_path / "in", 3, 64)
    target = ["-aec", "SECOND", "127.0.0.1", str(archive)]
    subprocess.run(["storescu", *target, *map(str, files)], check=True, capture_output=True)
    asked = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}"
    through = findscu(tmp_path / "through", port, *asked, "PatientID", calling="ONE")
    direct = findscu(
        tmp_path / "direct", archive, *asked, "PatientID", calling="ONE", called="SECOND"
    )
    assert through.status == direct.status == 0
    assert direct.matches
    assert comparable(through.matches) == comparable(direct.matches)
    answer = movescu(port, *asked, calling="ONE")
    assert (answer.status, answer.counts()["completed"]) == (0, 3), answer.comment
    assert sorted(map(elements, ws1.files())) == sorted(map(elements, files))
