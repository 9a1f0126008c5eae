"""Names that mean something to a file system, a terminal, a shell or a log: they are only text."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from router.files import is_safe_name
from router.wire import Peer, WireError, connect
from tests.intake.station import data_set
from tests.story.peers import until
from tests.wire.peers import CT, EXPLICIT

if TYPE_CHECKING:
    from pathlib import Path

    from router.wire import Response

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners: {any: {ae_title: "*", port: 0, bind: 127.0.0.1}}
destinations:
  vna:
    type: folder
    directory: ./vna
    path: "{calling_ae_title}/{called_ae_title}/{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm"
  pacs: {ae_title: PACS, host: 127.0.0.1, port: {pacs}, calling_ae_title: "{calling_ae_title}"}
routes:
  - name: all
    chain: [store: {directory: ./kept, path: "{Modality}/{StudyDescription}/{SOPInstanceUID}.dcm"}]
    to: [vna, pacs]
"""
FORGED = "2026-01-01T00:00:00.000+00:00 error   node.failed"
TEXTS = [
    *("..", ".", "../../pwned", "/tmp/pwned", "a/../../../pwned", "~root/pwned", "-rf", " "),
    *("C:\\pwned", "\\\\host\\pwned", "a\0b", "CON", "nul.dcm", "COM1", "x" * 300, "." * 64),
    *("\r\n" + FORGED, f"\n{FORGED}", "\u2028" + FORGED, "\x1b[2J\x1b]0;pwned\x07", "\x9b31m"),
    *("ab\u202egpj.exe", "\u200b\ufeff", "\ud7ff\U0001f4a9", "e\u0301", "\xff\xfe", "\x7f\x08\x08"),
    *(
        "$(touch pwned)",
        "`touch pwned`",
        ";touch pwned;",
        "|touch pwned",
        "%n%s%x",
        "{PatientName}",
    ),
    *("a how=released accepted=9", 'a" b="c', "'", "!!python/object:x", "*", "?", "[a-z]"),
]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (debug|info|warning|error) +[a-z]")
WHERE = ("calling_ae_title", "called_ae_title", "uid", "sop_class")
ELEMENTS = ("PatientID", "StudyInstanceUID", "StudyDescription", "Modality", "SOPInstanceUID")


def send(port: int, where: str, text: str, number: int) -> Response | None:
    """A C-STORE that holds the text in one place; None where it did not get so far."""
    said = {"calling_ae_title": "CT1", "called_ae_title": "ROUTER", "uid": f"1.2.{number}"}
    said |= {"sop_class": CT, where: text.encode("latin-1", "replace").decode("latin-1")}
    elements = {"SOPInstanceUID": said["uid"], "SOPClassUID": said["sop_class"]}
    if where in ELEMENTS:
        elements |= {where: text}
    content = data_set(
        **{"SpecificCharacterSet": "ISO_IR 192", "PatientID": "1", "StudyDescription": "a"}
        | {name: value.encode("utf-8", "surrogatepass") for name, value in elements.items()}
    )
    peer = Peer("127.0.0.1", port, said["called_ae_title"][:16], said["calling_ae_title"][:16])
    with suppress(WireError):
        association = connect(peer, [(CT, [EXPLICIT])])
        try:
            return association.store(1, said["sop_class"], said["uid"], [content])
        finally:
            association.release()
    return None


def tree(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in ("spool", "vna", "kept")
    }


@pytest.fixture
def told(site, tmp_path):
    """A router to which everything was sent everywhere, and how often it said Success."""
    router, archives = site(CONFIG, "pacs")
    port = router.port("any")
    before = tree(tmp_path)
    statuses = {
        (where, text): send(port, where, text, number)
        for where in WHERE + ELEMENTS
        for number, text in enumerate(TEXTS)
    }
    until(
        lambda: all(row["state"] == "held" for row in router.ask("queue list", limit=10_000)),
        "all is delivered or held",
    )
    assert tree(tmp_path) == before
    return router, statuses


def test_names_stay_names(told, tmp_path):
    router, answers = told
    accepted = [key for key, answer in answers.items() if answer and answer.status == 0]
    assert {where for where, _ in accepted} >= {"calling_ae_title", "PatientID", "Modality"}
    assert not [key for key in accepted if key[0] in ("uid", "sop_class", "SOPInstanceUID")]
    for folder in ("vna", "kept"):
        for path in (tmp_path / folder).rglob("*"):
            assert is_safe_name(path.name), path.name
            assert not path.is_symlink()
    assert not os.path.lexists("/tmp/pwned")
    assert not os.path.lexists("pwned")

    log = router.log.read_bytes().decode()
    lines = log.removesuffix("\n").split("\n")
    del lines[: next(n for n, line in enumerate(lines) if " association." in line)]  # greetings
    assert not [line for line in lines if not LINE.match(line)]
    assert not [line for line in lines if not line.isprintable()]
    assert not [line for line in lines if line.split()[2] == "node.failed"]
    for command in (["status"], ["queue", "list"], ["where", "--patient-id", TEXTS[20]]):
        shown = router.command(*command).stdout
        assert all(line.isprintable() for line in shown.split("\n")), command
