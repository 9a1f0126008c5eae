"""What an administrator sees of a local index that cannot answer, and of one being rebuilt."""

import pytest

from router.spool import Indexes
from router.spool.index_state import rebuilding
from router.spool.indexes import index_path
from tests.story.sending import generate

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  main: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  vna: {type: folder, directory: ./vna, index: true}
  plain: {type: folder, directory: ./plain}
routes:
  - {name: keep, to: [vna, plain]}
query_retrieve:
  - name: own
    listener: main
    upstreams: [vna]
    accept: {calling_ae_titles: [WS1]}
"""


@pytest.fixture
def router(run_router, tmp_path):
    """Started with a folder that has files which its index has never seen."""
    generate(tmp_path / "router" / "vna", 2, 64)
    return run_router(CONFIG)


def said(router, *command):
    done = router.command(*command)
    return done.stdout, done.returncode


def test_status_and_doctor_say_what_an_incomplete_index_wants(router, find):
    hint = "vna: its index cannot answer, queries of it fail: it does not know all files"
    status, _ = said(router, "status")
    assert hint in status
    assert "dicom-router index rebuild vna" in status
    assert router.ask("status")["indexes"] == [
        {"destination": "vna", "problem": "it does not know all files", "rebuilding": False}
    ]
    found, code = said(router, "doctor")
    assert (f"index: {hint}" in found, code) == (True, 1)
    keys = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID")
    assert find(router.port("main"), *keys).status >> 12 == 0xC

    router.command("index", "rebuild", "vna", check=True)
    assert "its index" not in said(router, "status")[0]
    found, code = said(router, "doctor")
    assert ("local indexes can answer" in found, code) == (True, 0)
    assert len(find(router.port("main"), *keys).matches) == 1


def test_status_says_that_an_index_is_being_rebuilt(router):
    path = index_path(router.spool, "vna")
    with rebuilding(path):
        assert (
            "vna: its index is being rebuilt; until then queries of it fail"
            in said(router, "status")[0]
        )
        assert router.ask("status")["indexes"][0]["rebuilding"]
    router.command("index", "rebuild", check=True)
    with rebuilding(path):
        status, _ = said(router, "status")
        assert "Nothing needs attention." in status
        assert "vna: its index is being rebuilt; queries are answered meanwhile" in status
    assert "its index" not in said(router, "status")[0]


def test_the_same_is_said_without_a_router_that_runs(router):
    router.close()
    assert "dicom-router index rebuild vna" in said(router, "status")[0]
    assert "dicom-router index rebuild vna" in said(router, "doctor")[0]
    path = index_path(router.spool, "vna")
    path.write_bytes(b"no database" * 1000)
    assert "not a database" in said(router, "status")[0]
    path.unlink()
    assert "it does not know all files" in said(router, "status")[0]
    assert not path.exists()
    for file in (router.directory / "vna").iterdir():
        file.unlink()
    assert "its index" not in said(router, "status")[0]


def test_an_index_of_another_folder_does_not_know_this_one(tmp_path, run_router):
    generate(tmp_path / "router" / "vna", 1, 64)
    indexes = Indexes(tmp_path / "router" / "spool")
    assert indexes.of("vna", tmp_path / "elsewhere").is_whole
    indexes.close()
    router = run_router(CONFIG)
    assert "it does not know all files" in said(router, "status")[0]
