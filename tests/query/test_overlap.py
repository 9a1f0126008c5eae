"""Two archives with the same study: the second is asked for what the first did not have."""

import re

import pytest

from tests.story.sending import content, generate

from .peers import getscu, movescu
from .test_index import store
from .test_move import uid_of

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  first: {{ae_title: FIRST, host: 127.0.0.1, port: {first}}}
  second: {{ae_title: SECOND, host: 127.0.0.1, port: {second}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
query_retrieve:
  - name: both
    listener: main
    upstreams: [first, second]
    accept: {{calling_ae_titles: [WS1]}}
    move_destinations: [ws1]
    instances: {instances}
"""
STUDY, SERIES, IMAGE = (f"QueryRetrieveLevel={level}" for level in ("STUDY", "SERIES", "IMAGE"))


class Pair:
    """Two archives behind a router, and a workstation that keeps what it gets twice as well."""

    def __init__(self, archive, run_router, storescp, port, instances="through", knows_us=True):
        self.port = port
        self.ws1 = storescp("WS1", "-uf")
        knows = {"ROUTER": port, "WS1": self.ws1.port}
        self.first = archive("FIRST", "-v", **(knows if knows_us else {}))
        self.second = archive("SECOND", "-v", **knows)
        ports = {"port": port, "first": self.first.port, "second": self.second.port}
        run_router(CONFIG.format(**ports, ws1=self.ws1.port, instances=instances))

    def received(self) -> list:
        found = [content(path) for path in self.ws1.files()]
        for path in self.ws1.files():
            path.unlink()
        return sorted(found)

    def move(self, *keys):
        answer = movescu(self.port, *keys)
        counts = answer.counts()
        return answer.status, counts["completed"], counts["failed"]


def moves(archive) -> list[str]:
    """The levels of the C-MOVE requests it has had."""
    log = (archive.directory / "dcmqrscp.log").read_text(errors="replace")
    return re.findall(r"Move SCP Request Identifiers:(?:\n.*?)+?\(0008,0052\) CS \[(\w+)", log)


@pytest.fixture
def pair(archive, run_router, storescp, free_port):
    return lambda **how: Pair(archive, run_router, storescp, free_port(), **how)


def series(directory, count, study, **values):
    return generate(directory, count, 64, StudyInstanceUID=study, **values)


def study_key(study):
    return STUDY, f"StudyInstanceUID={study}"


@pytest.mark.parametrize("is_known", [True, False], ids=["after a query", "without a query"])
def test_what_the_first_archive_has_the_second_does_not_send(pair, find, tmp_path, is_known):
    site = pair()
    files = series(tmp_path / "in", 3, "1.2.3")
    site.first.fill(*files)
    site.second.fill(*files)
    if is_known:
        assert len(find(site.port, STUDY, "StudyInstanceUID").matches) == 1
    assert site.move(*study_key("1.2.3")) == (0, 3, 0)
    assert site.received() == sorted(map(content, files))
    assert (moves(site.first), moves(site.second)) == (["STUDY"], [])


def test_what_only_the_second_archive_has_comes_from_it_and_nothing_twice(pair, tmp_path):
    site = pair()
    same = series(tmp_path / "same", 2, "1.2.3")
    other = series(tmp_path / "other", 3, "1.2.3")
    site.first.fill(*same)
    site.second.fill(*same, *other)
    assert site.move(*study_key("1.2.3")) == (0, 5, 0)
    assert site.received() == sorted(map(content, [*same, *other]))
    assert moves(site.second) == ["SERIES"]

    part = series(tmp_path / "part", 4, "1.2.4")
    site.first.fill(*part[:3])
    site.second.fill(*part[1:])
    assert site.move(*study_key("1.2.4")) == (0, 4, 0)
    assert site.received() == sorted(map(content, part))
    assert moves(site.second) == ["SERIES", "IMAGE"]
    uids = [f"{key}={uid_of(part[0], key)}" for key in ("StudyInstanceUID", "SeriesInstanceUID")]
    assert site.move(SERIES, *uids) == (0, 4, 0)
    wanted = "\\".join(uid_of(path, "SOPInstanceUID") for path in part[2:])
    site.received()
    assert site.move(IMAGE, *uids, f"SOPInstanceUID={wanted}") == (0, 2, 0)
    assert site.received() == sorted(map(content, part[2:]))

    got = tmp_path / "got"
    answer = getscu(got, site.port, *study_key("1.2.4"))
    assert (answer.status, answer.counts()["completed"], answer.counts()["failed"]) == (0, 4, 0)
    assert sorted(map(content, got.iterdir())) == sorted(map(content, part))

    apart = [series(tmp_path / f"apart{number}", 2, "1.2.5") for number in range(2)]
    site.first.fill(*apart[0])
    site.second.fill(*apart[1])
    assert site.move(*study_key("1.2.5")) == (0, 4, 0)
    assert site.received() == sorted(map(content, apart[0] + apart[1]))
    assert moves(site.second)[-1] == "STUDY"


def test_the_second_archive_sends_all_when_the_first_cannot(pair, find, tmp_path):
    site = pair(knows_us=False)
    files = series(tmp_path / "in", 3, "1.2.3")
    site.first.fill(*files)
    site.second.fill(*files)
    assert len(find(site.port, STUDY, "StudyInstanceUID").matches) == 1
    assert site.move(*study_key("1.2.3")) == (0, 3, 0)
    assert site.received() == sorted(map(content, files))
    site.first.close()
    answer = movescu(site.port, *study_key("1.2.3"))
    assert (answer.status, answer.counts()["completed"]) == (0xB000, 3)
    assert answer.comment.startswith("first: cannot connect")
    assert site.received() == sorted(map(content, files))


OWN = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna, index: true}}
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
routes:
  - {{name: keep, when: {{calling_ae_title: ROUTER}}, to: [vna]}}
query_retrieve:
  - name: both
    listener: main
    upstreams: [vna, pacs]
    accept: {{calling_ae_titles: [WS1]}}
    move_destinations: [ws1]
"""


def test_a_local_index_is_the_first_of_two_archives_as_any_other(
    archive, run_router, storescp, free_port, tmp_path
):
    port, ws1 = free_port(), storescp("WS1", "-uf")
    pacs = archive("PACS", "-v", ROUTER=port)
    router = run_router(OWN.format(port=port, pacs=pacs.port, ws1=ws1.port))
    same = series(tmp_path / "same", 2, "1.2.3")
    other = series(tmp_path / "other", 2, "1.2.3")
    pacs.fill(*same, *other)
    store(router, tmp_path / "same")
    answer = movescu(port, *study_key("1.2.3"))
    assert (answer.status, answer.counts()["completed"], answer.counts()["failed"]) == (0, 4, 0)
    assert sorted(map(content, ws1.files())) == sorted(map(content, [*same, *other]))
    assert moves(pacs) == ["SERIES"]


def test_archives_that_send_themselves_send_nothing_twice_either(pair, tmp_path):
    site = pair(instances="direct")
    same = series(tmp_path / "same", 2, "1.2.3")
    part = series(tmp_path / "part", 3, "1.2.3")
    other = series(tmp_path / "other", 2, "1.2.3")
    site.first.fill(*same, *part[:1])
    site.second.fill(*same, *part, *other)
    assert site.move(*study_key("1.2.3")) == (0, 7, 0)
    assert site.received() == sorted(map(content, [*same, *part, *other]))
    assert sorted(moves(site.second)) == ["IMAGE", "SERIES"]
    site.first.fill(*part, *other)
    assert site.move(*study_key("1.2.3")) == (0, 7, 0)
    assert len(site.received()) == 7
    assert sorted(moves(site.second)) == ["IMAGE", "SERIES"]
