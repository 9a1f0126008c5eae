"""Archives that answer queries with what does harm: the requestor gets an answer all the same."""

from __future__ import annotations

import struct
from itertools import count

import psutil
import pytest

from router.wire import Exchange, QueryRequest, QueryResponse
from tests.query.scripted import Scripted, answering, encode, find
from tests.story.peers import RunningRouter
from tests.wire.peers import EXPLICIT

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners: {{main: {{port: 0, bind: 127.0.0.1}}}}
destinations:
  good: {{ae_title: GOOD, host: 127.0.0.1, port: {good}}}
  evil: {{ae_title: EVIL, host: 127.0.0.1, port: {evil}}}
query_retrieve:
  - name: both
    listener: main
    upstreams: [good, evil]
    accept: {{calling_ae_titles: [WS1]}}
    deadline: 20 s
"""
STUDY = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2"}
ASKED = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "ModalitiesInStudy": ""}
MODALITIES, INSTANCES, COMMENTS = (0x0008, 0x0061), (0x0020, 0x1208), (0x0032, 0x4000)
MOST = 200 * 1024 * 1024  # bytes, of the 20 GB that are sent


def element(tag: tuple[int, int], vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", *tag, vr, len(value)) + value


def saying(*matches: bytes, final: int = 0):
    """A script: these encoded matches, then the last response."""

    def answer(request: QueryRequest, exchange: Exchange) -> QueryResponse:
        assert request.transfer_syntax == EXPLICIT
        for match in matches:
            exchange.send(QueryResponse(0xFF00, identifier=match))
        return QueryResponse(final)

    return answer


@pytest.fixture(scope="module")
def archives():
    both = Scripted(), Scripted()
    yield both
    for archive in both:
        archive.close()


@pytest.fixture(scope="module")
def router(archives, tmp_path_factory):
    good, evil = archives
    config = CONFIG.format(good=good.port, evil=evil.port)
    router = RunningRouter(tmp_path_factory.mktemp("router"), config).start()
    yield router
    router.close()


LEVEL, UID = encode(QueryRetrieveLevel="STUDY"), encode(StudyInstanceUID="1.2")
MANY = b"\\".join(b"E%05d" % number for number in range(8000)) + b" "


@pytest.mark.parametrize(
    "match",
    [
        LEVEL + UID + element(INSTANCES, b"IS", b"9" * 6000),
        LEVEL + element(MODALITIES, b"CS", MANY) + UID,
        b"\xff" * 300,
        LEVEL + UID[:-1],
        LEVEL + element((0x0020, 0x000D), b"UI", b"1.2\\" * 10_000),
        b"",
    ],
    ids=["count", "modalities", "nonsense", "cut off", "UIDs", "nothing"],
)
def test_what_an_archive_says_costs_nobody_the_answer_of_the_other(router, archives, match):
    good, evil = archives
    modalities = [f"G{number:05}" for number in range(8000)]
    good.find = answering({**STUDY, "ModalitiesInStudy": modalities})
    evil.find = saying(match, match)
    matches, last = find(router.port("main"), **ASKED, NumberOfStudyRelatedInstances="")
    assert last.status == 0
    assert "1.2" in [each.get("StudyInstanceUID") for each in matches]
    assert "association.crashed" not in router.log.read_text()


def test_matches_without_end_fill_neither_memory_nor_disk(router, archives):
    good, evil = archives
    large = element(COMMENTS, b"LT", b"a" * 60_000)

    def endless(request: QueryRequest, exchange: Exchange) -> QueryResponse:
        for number in count():
            if exchange.is_over or exchange.is_cancelled:
                break
            uid = encode(StudyInstanceUID=f"1.2.{number}")
            exchange.send(QueryResponse(0xFF00, identifier=LEVEL + uid + large))
        return QueryResponse(0xFE00)

    good.find, evil.find = answering(STUDY), endless
    process = psutil.Process(router.process.pid)
    before = process.memory_info().rss
    _, last = find(router.port("main"), **ASKED, StudyComments="")
    assert last.status in (0xA700, 0xC000)  # too many, or the time was over before
    assert process.memory_info().rss - before < MOST
    evil.find = answering()
    matches, last = find(router.port("main"), **ASKED)
    assert (len(matches), last.status) == (1, 0)
