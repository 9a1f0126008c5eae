"""Queries that are meant to do harm, at a router that answers from an index of its own."""

from __future__ import annotations

import struct

import pytest

from router.wire import AssociationAborted, Peer, Timeouts, connect
from tests.query.scripted import FIND, encode
from tests.story.peers import RunningRouter, until
from tests.story.sending import generate
from tests.wire.peers import EXPLICIT

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners: {main: {port: 0, bind: 127.0.0.1}}
destinations:
  vna: {type: folder, directory: ./vna, index: true}
routes:
  - {name: keep, to: [vna]}
query_retrieve:
  - {name: all, listener: main, upstreams: [vna], accept: {calling_ae_titles: [WS1]}}
"""
STUDY, IMAGE = ({"QueryRetrieveLevel": level} for level in ("STUDY", "IMAGE"))
LONG = {"PatientID": "a" * 64, "StudyDescription": "a" * 64, "PatientComments": "a" * 10_000}


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    directory = tmp_path_factory.mktemp("queried")
    router = RunningRouter(directory, CONFIG).start()
    try:
        generate(directory / "in", 2, 64, PatientName="a" * 64, **LONG)
        target = f"ROUTER@127.0.0.1:{router.port('main')}"
        router.command("send", target, str(directory / "in"), check=True)
        until(lambda: len(ask(router, encode(**IMAGE))) == 3, "both are found")
        yield router
    finally:
        router.close()


def ask(router, identifier: bytes) -> list:
    """Every response to a C-FIND, the last one last."""
    peer = Peer("127.0.0.1", router.port("main"), "ROUTER", "WS1")
    association = connect(peer, [(FIND, [EXPLICIT])], timeouts=Timeouts(20, 60, 60))
    try:
        inquiry = association.query("find", 1, identifier)
        responses = []
        while not responses or not responses[-1].is_last:
            responses.append(inquiry.receive(120))
            assert responses[-1] is not None, "no answer"
        return responses
    finally:
        association.release()


def sequence(length: int, items: bytes) -> bytes:
    return struct.pack("<HH2sHL", 0x0040, 0x0275, b"SQ", 0, length) + items


def item(length: int, content: bytes = b"") -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, length) + content


def nested(depth: int) -> bytes:
    ends = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return sequence(0xFFFFFFFF, item(0xFFFFFFFF)) * depth + ends * depth


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def at(level: dict, tag: int, vr: bytes, value: bytes) -> bytes:
    return encode(**level) + element(tag, vr, value)


NAME, PATIENT_ID, DESCRIPTION, COMMENTS = 0x00100010, 0x00100020, 0x00081030, 0x00104000
MANY = b"*a" * 30 + b"b "
HOSTILE = {
    "wildcards that match in more ways than there is time for": [
        at(STUDY, DESCRIPTION, b"LO", MANY),
        at(STUDY, NAME, b"PN", MANY),
        at(STUDY, PATIENT_ID, b"LO", MANY),
        at(IMAGE, COMMENTS, b"LT", b"*a" * 4000 + b"b "),
        at(IMAGE, COMMENTS, b"LT", b"*" + b"?" * 4000 + b"b"),
    ],
    "more wildcards than an index takes": [
        at(STUDY, PATIENT_ID, b"LO", b"*a" * 30_000),
        at(STUDY, NAME, b"PN", b"?*" * 30_000),
    ],
    "values without number": [
        at(STUDY, DESCRIPTION, b"LO", b"?b*\\" * 15_000),
        at(STUDY, PATIENT_ID, b"LO", b"b\\" * 32_000),
        at(STUDY, 0x0020000D, b"UI", b"1.2\\" * 15_000),
    ],
    "dates, times and numbers without end": [
        at(STUDY, 0x00080020, b"DA", b"-" * 60_000),
        at(IMAGE, 0x00080032, b"TM", b"9" * 60_000),
        at(IMAGE, 0x0008002A, b"DT", b"9" * 60_000),
        at(IMAGE, 0x00200013, b"IS", b"9" * 60_000),
    ],
    "depth": [encode(**STUDY) + nested(60), encode(**STUDY) + nested(20_000)],
    "items": [encode(**STUDY) + sequence(8 * 60_000, item(0) * 60_000)],
    "what is no data set": [b"\xff" * 5000, encode(**STUDY)[:-1], b"\x08"],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_query_gets_its_answer_and_the_next_one_too(router, kind):
    for identifier in HOSTILE[kind]:
        *_, last = ask(router, identifier)
        assert last.status in (0, 0xA900, 0xC000), (last, identifier[:100])
    *matches, last = ask(router, encode(**STUDY, PatientName="A*"))
    assert (len(matches), last.status) == (1, 0)
    log = router.log.read_text()
    assert "aaaa" not in log
    assert "association.crashed" not in log


def test_an_identifier_beyond_the_limit_is_not_read_to_its_end(router):
    huge = struct.pack("<HH2sHL", 0x0018, 0x4000, b"UT", 0, 4 << 20) + bytes(4 << 20)
    with pytest.raises(AssociationAborted):
        ask(router, encode(**STUDY) + huge)
    assert ask(router, encode(**STUDY))[-1].status == 0
