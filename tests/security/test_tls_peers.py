"""TLS towards archives that are queried and towards who gets what was retrieved: real ones, Orthanc
and DCMTK, good and bad certificates, in the router and in its commands.
"""

from __future__ import annotations

import subprocess

import pytest
from click.testing import CliRunner

from router.operate.cli import main
from tests.certificates import Authority
from tests.query.peers import findscu, getscu, movescu
from tests.story.peers import BOUND, Orthanc, RunningRouter, StoreScp, until
from tests.story.sending import content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  plain: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
  main:
    ae_title: ROUTER
    port: {port}
    bind: 127.0.0.1
    tls: {{certificate: ca/router.pem, key: ca/router.key, trust: [ca/Hospital CA.pem]}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, tls: {{{good}}}{by_get}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}, tls: {{{good}}}}}
{bad}
query_retrieve:
  - {{name: secure, listener: main, upstreams: [pacs], accept: {{calling_ae_titles: [WS1]}}}}
  - name: all
    listener: plain
    upstreams: [pacs]
    accept: {{calling_ae_titles: [WS1]}}
    move_destinations: [ws1, {names}]
{entries}
"""
BAD = {  # what is wrong, as a destination's `tls`, and how it is told
    "stranger": ("trust: ca/Other CA.pem", "certificate not accepted"),
    "misnamed": ("{good}, server_name: other.hospital", "mismatch"),
    "outdated": ("{good}", "certificate has expired"),
    "revoked": ("{good}, revoked: ca/Hospital CA.crl", "certificate revoked"),
    "unshown": ("trust: ca/Hospital CA.pem", "no TLS|does not accept our certificate"),
}
GOOD = "trust: ca/Hospital CA.pem, certificate: ca/router.pem, key: ca/router.key"


class SecureStoreScp(StoreScp):
    """DCMTK's storescp with TLS, which wants a certificate of the authority."""

    def __init__(self, directory, port, ae_title, authority, name) -> None:
        shown, self._client = (
            ["+tls", str(authority / f"{who}.key"), str(authority / f"{who}.pem")]
            + ["+cf", str(authority / "Hospital CA.pem")]
            for who in (name, "ct1")
        )
        super().__init__(directory, port, ae_title, *shown)

    def _echoes(self) -> bool:
        asked = ["echoscu", "-ic", "-to", "2", *self._client, "127.0.0.1", str(self.port)]
        return subprocess.run(asked, capture_output=True, timeout=BOUND).returncode == 0


class Hospital:
    """An authority, an archive and workstations that want its certificates, and a router."""

    def __init__(self, directory, free_port) -> None:
        self.directory = directory
        self.authority = Authority(directory / "ca")
        Authority(directory / "ca", "Other CA")
        archive = self.authority.issue("archive")
        for name in ("router", "ws1", "ct1"):
            self.authority.issue(name)
        self.authority.issue("outdated", days=-1)
        self.authority.revoke(archive, self.authority.issue("gone"))
        self.started = []
        self.port = free_port()
        ports = free_port(), free_port()
        self.archive = Orthanc(directory / "PACS", *ports, "PACS", **self._secure())
        self.ws1 = self._workstation("WS1", free_port(), "ws1")
        self.outdated = self._workstation("OUTDATED", free_port(), "outdated")
        self.study = generate(directory / "in", 3, 64, PatientID="TLS-1")

    def start(self) -> None:
        for peer in (self.archive, self.ws1, self.outdated):
            self._start(peer)
        self.archive.put(
            "/modalities/ROUTER",
            {"AET": "ROUTER", "Host": "127.0.0.1", "Port": self.port, "UseDicomTls": True},
        )

    def _secure(self):
        ca = self.directory / "ca"
        return {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(ca / "archive.pem"),
            "DicomTlsPrivateKey": str(ca / "archive.key"),
            "DicomTlsTrustedCertificates": str(ca / "Hospital CA.pem"),
            "DicomTlsRemoteCertificateRequired": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
        }

    def _workstation(self, ae_title, port, name):
        directory = self.directory / ae_title
        return SecureStoreScp(directory, port, ae_title, self.directory / "ca", name)

    def _start(self, peer):
        self.started.append(peer)
        return peer.start()

    def run(self, retrieve: str) -> RunningRouter:
        where = {name: self.archive.port for name in BAD} | {"outdated": self.outdated.port}
        bad = "\n".join(
            f"  {name}: {{ae_title: {name.upper()}, host: 127.0.0.1, port: {where[name]}, "
            f"tls: {{{tls.format(good=GOOD)}}}}}"
            for name, (tls, _) in BAD.items()
        )
        entries = "\n".join(
            f"  - {{name: {name}, listener: plain, upstreams: [{name}], "
            f"accept: {{calling_ae_titles: [{name.upper()}]}}, move_destinations: [ws1]}}"
            for name in BAD
        )
        config = CONFIG.format(
            port=self.port,
            pacs=self.archive.port,
            ws1=self.ws1.port,
            by_get=", query: {retrieve: get}" if retrieve == "get" else "",
            good=GOOD,
            bad=bad,
            names=", ".join(BAD),
            entries=entries,
        )
        return self._start(RunningRouter(self.directory, config))

    @property
    def shown(self) -> tuple[str, ...]:
        """DCMTK's options with which a client gets in at the router."""
        ca = self.directory / "ca"
        return (
            *("+tls", str(ca / "ct1.key"), str(ca / "ct1.pem")),
            *("+cf", str(ca / "Hospital CA.pem")),
        )

    def close(self) -> None:
        for peer in reversed(self.started):
            peer.close()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory, orthanc, dcmtk, free_port):
    made = Hospital(tmp_path_factory.mktemp("hospital"), free_port)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module", params=["move"])
def router(request, hospital):
    """One that retrieves by C-MOVE or, if asked for, by C-GET; the archive has the study."""
    router = hospital.run(request.param)
    assert command(router, "send", "pacs", hospital.directory / "in").exit_code == 0
    yield router
    router.stop()


def command(router, *arguments):
    """A command with the router's configuration; a process of its own would take long to begin."""
    return CliRunner().invoke(main, [*map(str, arguments), "--config", str(router.config)])


def study_of(hospital) -> str:
    found = subprocess.run(
        ["dcmdump", "-q", "+P", "0020,000d", str(hospital.study[0])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.partition("[")[2].partition("]")[0]


@pytest.mark.parametrize("router", ["get", "move"], indirect=True)
def test_what_is_asked_over_tls_is_answered_and_retrieved_over_tls(router, hospital, tmp_path):
    port = router.port("plain")  # DCMTK's movescu and getscu have no TLS here
    study = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(hospital)}"
    for at, options in ((port, ()), (hospital.port, hospital.shown)):
        answer = findscu(tmp_path / "found", at, *study, "PatientID", options=options)
        assert (answer.status, [match.PatientID for match in answer.matches]) == (0, ["TLS-1"])
    moved = movescu(port, *study)
    assert (moved.status, moved.counts()["completed"]) == (0, 3), moved.comment
    expected = sorted(map(content, hospital.study))
    until(lambda: len(hospital.ws1.files()) == 3, "it has arrived")
    assert sorted(map(content, hospital.ws1.files())) == expected
    for path in hospital.ws1.files():
        path.unlink()
    got = getscu(tmp_path / "got", port, *study)
    assert (got.status, got.counts()["completed"]) == (0, 3), got.comment
    assert sorted(map(content, (tmp_path / "got").iterdir())) == expected


def test_the_commands_use_a_destinations_tls(router, hospital, tmp_path):
    study = f"StudyInstanceUID={study_of(hospital)}"
    assert command(router, "echo", "pacs").exit_code == 0
    found = command(router, "find", "pacs", "-k", "PatientID=TLS-1", "--csv")
    assert found.exit_code == 0, found.stderr
    assert len(found.stdout.splitlines()) == 2
    got = command(router, "get", "pacs", tmp_path / "got", "-k", study)
    assert got.exit_code == 0, got.stderr
    assert sorted(map(content, (tmp_path / "got").iterdir())) == sorted(
        map(content, hospital.study)
    )
    moved = command(router, "move", "pacs", "--to", "NOBODY", "-k", study)
    assert "C-MOVE ended with 0x" in moved.stdout


@pytest.mark.parametrize("case", BAD)
def test_an_archive_that_is_not_who_it_should_be_is_asked_nothing(router, hospital, tmp_path, case):
    told = BAD[case][1].split("|")
    study = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(hospital)}"
    port, client = router.port("plain"), {"calling": case.upper()}
    for answer in (
        findscu(tmp_path / "found", port, *study, **client),
        movescu(port, *study, **client),
        getscu(tmp_path / "got", port, *study, **client),
    ):
        assert answer.status not in (0, 0xFF00), answer.output
        assert not answer.matches
    assert not list((tmp_path / "got").iterdir())
    until(lambda: any(each in router.log.read_text() for each in told), "it is logged")

    key = ["-k", study[1]]
    for asked in (
        ["echo", case],
        ["send", case, hospital.study[0]],
        ["find", case, *key],
        ["get", case, tmp_path / "got", *key],
        ["move", case, "--to", "WS1", *key],
    ):
        done = command(router, *asked)
        assert done.exit_code == 1, done.output
        assert any(each in done.stderr for each in told), done.stderr


@pytest.mark.parametrize("case", BAD)
def test_a_move_destination_that_is_not_who_it_should_be_gets_nothing(router, hospital, case):
    study = "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_of(hospital)}"
    moved = movescu(router.port("plain"), *study, to=case.upper())
    assert moved.status != 0, moved.output
    assert moved.counts().get("completed", 0) == 0
    assert hospital.outdated.files() == []
