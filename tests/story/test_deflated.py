"""Deflated objects from a real sender: looked into, changed and sent like any other."""

import json
import socket
import zlib
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from router.dataset import encode_file_meta, open_part10
from tests.query.peers import findscu, getscu

from .peers import RunningRouter, StoreScp, storescu, until
from .sending import content, generate

ELEMENTS = {"StudyDescription": "CHEST 1", "PatientID": "4711"}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
DEFLATED, EXPLICIT = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1"

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities:
    ae_title: ROUTER
    port: 0
    bind: 127.0.0.1
    transfer_syntaxes: [DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian]
destinations:
  takes: {{ae_title: TAKES, host: 127.0.0.1, port: {takes}, retry: {{first: 1 s, longest: 2 s}}}}
  plain: {{ae_title: PLAIN, host: 127.0.0.1, port: {plain}, retry: {{first: 1 s, longest: 2 s}}}}
  changed:
    ae_title: CHANGED
    host: 127.0.0.1
    port: {takes}
    retry: {{first: 1 s, longest: 2 s}}
    chain: [set: {{StationName: "{{PatientID}}"}}]
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm", index: true}}
  rewritten: {{type: folder, directory: ./rewritten}}
routes:
  - {{name: everything, to: [takes, plain, vna]}}
  - name: chest
    when: {{StudyDescription: "CHEST*"}}
    chain:
      - skip: {{PatientID: NOBODY}}
      - set: {{PatientName: "SUBJECT^{{PatientID}}"}}
    to: [rewritten]
  - name: only_looks
    when: {{StudyDescription: "CHEST*"}}
    chain: [skip: {{PatientID: NOBODY}}]
    to: [changed]
query_retrieve:
  - {{name: all, listener: modalities, upstreams: [vna], accept: {{calling_ae_titles: [WS1]}}}}
"""


@dataclass
class Given:
    """A router, who takes deflated objects and who does not, and what all of them were sent."""

    router: RunningRouter
    takes: StoreScp
    plain: StoreScp
    path: Path  # before it was deflated
    came: Path

    def kept(self, name: str, uid: str) -> list[Path]:
        """What arrived of an instance in a folder of the router's."""
        return of((self.router.directory / name).rglob("*.dcm"), uid)

    def sent(self, peer: StoreScp, uid: str) -> list[Path]:
        """The same of a peer, once it has answered."""
        found = of(peer.files(), uid)
        destinations = self.router.ask("status")["summary"]["destinations"]
        return [] if any(each["queued"] for each in destinations) else found


def of(files: Iterable[Path], uid: str) -> list[Path]:
    found = []
    for path in files:
        with suppress(ValueError):  # it is being written
            if open_part10(path).sop_instance_uid == uid:
                found.append(path)
    return found


@pytest.fixture(scope="module")
def given(tmp_path_factory, dcmtk):
    """Everything that one deflated object is sent to has it."""
    directory = tmp_path_factory.mktemp("deflated")
    (directory / "router").mkdir()
    with ExitStack() as started:

        def peer(ae_title: str, *options: str) -> StoreScp:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            made = StoreScp(directory / ae_title, port, ae_title, *options)
            started.callback(made.close)
            return made.start()

        takes, plain, direct = peer("TAKES", "+xd", "+uf"), peer("PLAIN", "+x="), peer("D", "+xd")
        config = CONFIG.format(takes=takes.port, plain=plain.port)
        router = RunningRouter(directory / "router", config)
        started.callback(router.close)
        router.start()
        [path] = generate(directory / "made", 1, 100_000, **ELEMENTS)
        for port in (direct.port, router.port("modalities")):
            assert storescu(port, "-xd", path).returncode == 0
        [came] = direct.files()
        assert open_part10(came).transfer_syntax == DEFLATED
        made = Given(router, takes, plain, path, came)
        uid = open_part10(came).sop_instance_uid
        until(lambda: len(made.sent(takes, uid)) == 2, "both that take it have it")
        until(lambda: len(made.sent(plain, uid)) == 1, "the other has it")
        for name in ("vna", "rewritten"):
            until(lambda name=name: len(made.kept(name, uid)) == 1, "it is kept")
        yield made


def test_everywhere_it_arrives_as_it_should(given):
    uid = open_part10(given.came).sop_instance_uid
    [kept], [rewritten] = given.kept("vna", uid), given.kept("rewritten", uid)
    [inflated], there = given.sent(given.plain, uid), given.sent(given.takes, uid)
    [left] = [each for each in there if open_part10(each).transfer_syntax == DEFLATED]
    [changed] = [each for each in there if each != left]
    assert content(left) == content(kept) == content(given.came)
    assert open_part10(inflated).transfer_syntax == EXPLICIT
    assert content(inflated) == content(given.path)
    sent = pydicom.dcmread(given.path)
    for file, keyword, value in (
        (rewritten, "PatientName", "SUBJECT^4711"),
        (changed, "StationName", "4711"),
    ):
        assert open_part10(file).transfer_syntax == EXPLICIT
        theirs = pydicom.dcmread(file)
        assert theirs.get(keyword) == value
        assert [each.keyword for each in theirs if each != sent.get(each.tag)] == [keyword]
    made = [file for file in (given.router.spool / "workspace").rglob("*") if file.is_file()]
    assert len(made) == 1  # of the copy that was changed, not of that which was looked at
    until(lambda: not list((given.router.spool / "outgoing").iterdir()), "it is tidied up")
    trail = given.router.command("where", "--patient-id", "4711", check=True).stdout
    assert "sent as Explicit VR Little Endian" in trail


def test_the_index_knows_it_and_a_c_get_is_given_it_inflated(given, tmp_path):
    router, path = given.router, given.path
    uids = [f"{each}={getattr(pydicom.dcmread(path), each)}" for each in UIDS]
    asked = ["QueryRetrieveLevel=IMAGE", *uids, "Rows"]
    port = router.port("modalities")
    [answer] = findscu(tmp_path / "answers", port, *asked).matches
    assert answer.Rows == pydicom.dcmread(path).Rows
    got = tmp_path / "got"
    getscu(got, port, *asked[:-1])
    [file] = got.iterdir()
    assert open_part10(file).transfer_syntax != DEFLATED
    assert pydicom.dcmread(file).PixelData == pydicom.dcmread(path).PixelData


def test_explain_test_and_replay_look_into_it(given):
    router, came = given.router, given.came
    explained = router.command("explain", str(router.config), "--json", str(came), check=True)
    [told] = json.loads(explained.stdout)
    states = {each["route"]: each for each in told["routes"]}
    assert {name: each["applies"] for name, each in states.items()} == {
        "everything": True, "chest": True, "only_looks": True,
    }  # fmt: skip
    examples = f"""
tests:
  - {{name: as it came, file: {came}, expect: {{routes: [everything, chest, only_looks]}}}}
  - name: changed
    file: {came}
    header: {{StudyDescription: HEAD}}
    expect: {{routes: [everything], destinations: [takes, plain, vna]}}
"""
    candidate = router.directory / "candidate.yaml"
    text = router.config.read_text()
    candidate.write_text(text + examples)
    tested = router.command("test", str(candidate))
    assert tested.returncode == 0, tested.stdout
    assert "0 would change" in router.command("replay", str(candidate), check=True).stdout
    candidate.write_text(text.replace("CHEST*", "HEAD*"))
    replayed = json.loads(router.command("replay", str(candidate), "--json").stdout)
    changes = {(each["route"], each["what"]) for each in replayed["changes"]}
    assert {("chest", "would not apply"), ("only_looks", "would not apply")} <= changes


def test_with_bytes_behind_it_it_leaves_as_it_came_or_is_held(given, tmp_path):
    router = given.router
    [path] = generate(tmp_path, 1, StudyDescription="CHEST", PatientID="4712")
    part10 = open_part10(path)
    uid, more = part10.sop_instance_uid, tmp_path / "more.dcm"
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = stream.compress(path.read_bytes()[part10.dataset_offset :]) + stream.flush()
    meta = encode_file_meta(part10.sop_class_uid, uid, DEFLATED)
    even = b" " * (len(deflated) % 2)  # storescp aborts at a PDV of odd length
    more.write_bytes(meta + deflated + b"DOE^JANE" + even)
    router.command("send", f"ROUTER@127.0.0.1:{router.port('modalities')}", str(more), check=True)
    until(lambda: content(more) in map(content, given.sent(given.takes, uid)), "it has arrived")
    reason = "the data set cannot be walked to its end: something follows its deflate stream"
    until(lambda: reason in router.command("where", uid).stdout, "it is held")
    assert "DOE" not in router.command("where", uid).stdout + router.log.read_text()
    assert given.sent(given.plain, uid) == given.kept("rewritten", uid) == []
