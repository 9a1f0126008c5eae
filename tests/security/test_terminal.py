"""What a hostile archive or file says, on an administrator's terminal and in their spreadsheet."""

from __future__ import annotations

import csv
import json
import unicodedata

import pytest
from click.testing import CliRunner
from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_context, evt

from router.operate.cli import main
from router.operate.terminal import visible
from tests.query.scripted import FIND, MOVE
from tests.story.conftest import run_router, started  # noqa: F401
from tests.story.peers import until
from tests.story.sending import generate

ESCAPES = "\x1b[2J\x1b]0;pwned\x07\x9b31m\r\nrouted by: nobody\x7f\x08\u202etxt.exe"
COMMENT = ESCAPES.replace("\u202e", "")  # an Error Comment is Latin-1
CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners: {{main: {{port: 0, bind: 127.0.0.1}}}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, object_tries: 1}}
routes:
  - {{name: all, chain: [{{set: {{InstitutionName: "{{PatientComments}}"}}}}], to: [pacs]}}
"""


def element(keyword: str, value: object) -> DataElement:
    return DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE)


def data_set(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        made.add(element(keyword, value))
    return made


REFUSED = data_set(Status=0xC001, ErrorComment=COMMENT)
MATCH = data_set(
    SpecificCharacterSet="ISO_IR 192",
    QueryRetrieveLevel="STUDY",
    PatientName=ESCAPES,
    PatientID="=cmd|'/c calc'!A0",
    StudyDescription="-1.5",
)


class Hostile:
    """Refuses everything but a C-FIND, and says so in its own way."""

    def __init__(self) -> None:
        self.found = [(0xFF00, MATCH), (0, None)]
        ae = AE("PACS")
        ae.maximum_pdu_size = 0
        for sop_class in (CTImageStorage, FIND, MOVE):
            ae.add_supported_context(sop_class)
        handlers = [
            (evt.EVT_C_STORE, lambda event: REFUSED),
            (evt.EVT_C_FIND, lambda event: iter(self.found)),
            (evt.EVT_C_MOVE, lambda event: iter([self._itself(), 1, (REFUSED, None)])),
        ]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.socket.getsockname()[1]

    def _itself(self):
        return "127.0.0.1", self.port, {"contexts": [build_context(CTImageStorage)]}

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def archive():
    peer = Hostile()
    yield peer
    peer.close()


def run(archive, command, *arguments):
    """What the command prints on both streams, as it would reach a terminal."""
    peer = f"PACS@127.0.0.1:{archive.port}"
    return CliRunner().invoke(main, [command, peer, *map(str, arguments)])


def is_harmless(printed: str) -> bool:
    """Nothing but text: no control character but line ends, and nobody else's lines."""
    return not any(
        unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each == "\u202e"
        for line in printed.split("\n")
        for each in line
    ) and not any(line.startswith("routed by") for line in printed.split("\n"))


def test_a_match_is_text_in_every_form(archive):
    keys = ["--only", "-k", "PatientName", "-k", "PatientID", "-k", "StudyDescription"]
    for form in ([], ["--json"], ["--csv"]):
        found = run(archive, "find", *keys, *form)
        assert found.exit_code == 0, found.output
        assert is_harmless(found.stdout), repr(found.stdout)
        assert "\\u001b[2J" in found.stdout
    [match] = json.loads(run(archive, "find", *keys, "--json").stdout)
    assert match["PatientName"] == ESCAPES


def test_a_spreadsheet_computes_nothing_that_an_archive_says(archive):
    keys = ["--only", "-k", "PatientID", "-k", "StudyDescription"]
    [row] = csv.DictReader(run(archive, "find", *keys, "--csv").stdout.splitlines())
    assert row == {"PatientID": "'=cmd|'/c calc'!A0", "StudyDescription": "-1.5"}


def test_why_something_failed_is_one_line(archive, tmp_path):
    archive.found = [(REFUSED, None)]
    generate(tmp_path / "in", 1, 64)
    keys = ["-k", "StudyInstanceUID=1.2"]
    for command, *arguments in (
        ["find", *keys],
        ["move", "--to", "A", *keys],
        ["send", tmp_path / "in"],
    ):
        done = run(archive, command, *arguments)
        assert done.exit_code == 1, done.output
        assert is_harmless(done.output), repr(done.output)
        assert "\\u001b[2J" in done.stderr


def test_the_routers_own_commands_show_it_as_text(archive, run_router, tmp_path):  # noqa: F811
    router = run_router(CONFIG.format(port=archive.port))
    [path] = generate(tmp_path / "in", 1, 64, SpecificCharacterSet="ISO_IR 192")
    dataset = dcmread(path)
    dataset.add(element("PatientComments", ESCAPES))
    dataset.save_as(path)
    target = f"ROUTER@127.0.0.1:{router.port('main')}"
    router.command("send", target, str(path), check=True)
    until(lambda: [row["state"] for row in router.ask("queue list")] == ["held"], "it is held")
    for command in (
        ["status"],
        ["queue", "list"],
        ["where", str(dataset.SOPInstanceUID)],
        ["explain", str(path), "--show-values"],
        ["replay"],
    ):
        printed = router.command(*command)
        assert is_harmless(printed.stdout + printed.stderr), (command, printed.stdout)
    for command in (["queue", "list"], ["where", str(dataset.SOPInstanceUID)]):
        assert "\\u001b[2J" in router.command(*command).stdout, command


@pytest.mark.parametrize(
    "text", ["Müller^Jörg", "山田^太郎\u3000様", "نیم\u200cفاصله", "C:\\temp", "", "a b"]
)
def test_what_people_write_is_shown_as_it_is(text):
    assert visible(text) == text
