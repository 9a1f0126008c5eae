"""C-MOVE through the router: upstreams send to it, the chain runs, it sends to who asked."""

import pydicom
import pytest

from tests.story.sending import content, generate

from .peers import movescu

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}{query}}}
  ws1: {{ae_title: WS1, host: 127.0.0.1, port: {ws1}}}
query_retrieve:
  - name: workstations
    listener: main
    upstreams: [pacs]
    accept: {{calling_ae_titles: [WS1]}}
    deadline: 60 s
    move_destinations: [ws1]
{more}
"""


@pytest.fixture
def real_site(archive, run_router, storescp, free_port):
    """A router between a workstation and an archive that moves only to the router."""

    def build(more: str = "", query: str = "", *options: str):
        port = free_port()
        pacs = archive("PACS", *options, ROUTER=port)
        ws1 = storescp("WS1")
        run_router(CONFIG.format(port=port, pacs=pacs.port, ws1=ws1.port, more=more, query=query))
        return port, pacs, ws1

    return build


def uid_of(path, keyword="StudyInstanceUID"):
    return str(pydicom.dcmread(path, stop_before_pixels=True)[keyword].value)


@pytest.mark.parametrize("query", ["", ", query: {retrieve: get}"], ids=["move", "get"])
def test_a_study_is_moved_through_the_router_with_true_counts(real_site, tmp_path, query):
    port, pacs, ws1 = real_site(query=query)
    files = generate(tmp_path / "in", 5)
    pacs.fill(*files, *generate(tmp_path / "other", 2))
    answer = movescu(port, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}")
    assert answer.status == 0
    assert answer.counts() == {"completed": 5, "failed": 0, "warning": 0}
    assert sorted(map(content, ws1.files())) == sorted(map(content, files))
