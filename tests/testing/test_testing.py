"""What plugin authors test with does what it says."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pydicom
import pytest
from pydicom.uid import CTImageStorage

from router import Hold
from router.config import ConfigError
from router.routing import HookFailed
from router.testing import Answer, cut_short, disk_full, encode, make_dataset
from router.wire import AssociationRejected, WireError

PLUGIN = """
import os
import time
from pathlib import Path

from router import Hold, Instance, Skip, Study, hookimpl, write_durably


class Plugin:
    def __init__(self, directory: Path = Path("kept"), fails: bool = False) -> None:
        self.directory = directory
        self.fails = fails

    @hookimpl
    def startup(self) -> None:
        if self.fails:
            raise OSError("no")

    @hookimpl
    def filter_instance(self, instance: Instance) -> Skip | None:
        return Skip("no US here") if instance.dataset.Modality == "US" else None

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        if instance.dataset.PatientID == "hang":
            time.sleep(1000)
        if instance.dataset.PatientID == "crash":
            os._exit(3)
        if instance.dataset.PatientID == "later":
            raise Hold("come back later", retry_after=30)
        instance.dataset.PatientName = "Somebody^Else"

    @hookimpl
    def store_instance(self, instance: Instance) -> str:
        write_durably(self.directory / "last.dcm", [instance.open().read()])
        return "kept"

    @hookimpl
    def study_complete(self, study: Study) -> None:
        seen = ",".join(sorted(instance.dataset.PatientName.given_name for instance in study.instances))
        (self.directory / "study").write_text(f"{study.late} {study.original_study_instance_uid} {seen}")
"""  # noqa: E501
ROUTER = """
    listeners: {{modalities: {{port: 0, bind: 127.0.0.1}}}}
    destinations: {{pacs: {pacs}}}
    plugins: {{mine: {{use: plugin.py:Plugin, timeout: 1 s, options: {{directory: ./kept}}}}}}
    routes: [{{name: all, chain: [mine], to: [pacs]}}]
"""


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "kept").mkdir()


def test_an_instance_has_what_was_asked_for_and_the_rest_of_a_ct(dicom_instance, dicom_association):
    instance = dicom_instance(PatientID="7", association=dicom_association(peer="ct1"))
    assert (instance.dataset.PatientID, instance.dataset.Modality) == ("7", "CT")
    assert instance.association.peer == "ct1"
    assert pydicom.dcmread(instance.open()).SOPInstanceUID == instance.sop_instance_uid
    assert "PatientID" not in dicom_instance(PatientID=None).dataset


def test_a_chain_of_shipped_plugins_is_run_as_it_would_be(dicom_chain):
    chain = dicom_chain(
        """
        - skip: {Modality: US}
        - set: {PatientID: X}
        """
    )
    made = chain.run(make_dataset(PatientID="1"))
    assert (made.state, made.dataset.PatientID, made.changed) == ("processed", "X", True)
    assert made.destinations == ("archive",)
    assert chain.run(make_dataset(Modality="US")).state == "skipped"


def test_a_sites_own_plugin_is_run_with_its_files_beside_the_configuration(
    plugin, dicom_chain, tmp_path
):
    chain = dicom_chain("[{plugin.py:Plugin: {directory: ./kept}}]")
    dataset = make_dataset(StudyInstanceUID="1.2.3")
    made = chain.run(dataset)
    assert str(made.dataset.PatientName) == "Somebody^Else"
    assert made.notes == ("kept",)
    later = chain.run(make_dataset(PatientID="later"))
    assert (later.state, later.reason, later.retry_after) == ("held", "come back later", 30)
    assert (later.plugin, later.hook) == ("plugin.py:Plugin", "rewrite_instance")
    assert chain.complete_study(late=True) == ("plugin.py:Plugin",)
    assert (tmp_path / "kept" / "study").read_text() == "True 1.2.3 Else"


def test_a_chain_that_does_not_start_or_check_says_so(plugin, dicom_chain):
    with pytest.raises(HookFailed, match="startup: OSError"):
        dicom_chain("[{plugin.py:Plugin: {fails: true}}]")
    with pytest.raises(ConfigError, match="did you mean 'directory'"):
        dicom_chain("[{plugin.py:Plugin: {directroy: ./kept}}]")


def test_the_chain_of_a_configuration_file_is_found_by_its_route(dicom_chain, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(
        "destinations: {vna: {type: folder, directory: ./vna}}\n"
        "routes:\n"
        "  - {name: one, to: [vna]}\n"
        "  - {name: two, chain: [{set: {PatientID: '2'}}], to: [vna]}\n"
    )
    assert dicom_chain(file).run(make_dataset()).changed is False
    assert dicom_chain(file, route="two").run(make_dataset()).dataset.PatientID == "2"
    with pytest.raises(ValueError, match="no route 'three'"):
        dicom_chain(file, route="three")


def test_a_full_disk_and_a_broken_instance_hold_the_copy(plugin, dicom_chain):
    chain = dicom_chain("[{plugin.py:Plugin: {directory: ./kept}}]")
    full = chain.run(make_dataset(), fault=disk_full(after=64))
    assert (full.state, full.hook, full.reason.split()[0]) == ("held", "store_instance", "OSError")
    assert chain.run(make_dataset()).state == "processed"
    assert chain.run_bytes(cut_short(make_dataset())).state == "held"


def test_an_archive_answers_as_it_is_told(dicom_archive, dicom_router):
    archive = dicom_archive("PACS")
    archive.answer(0xC000, Answer(0xB000, after=0.01), Answer(drop=True))
    router = dicom_router(
        f"""
        listeners: {{modalities: {{port: 0, bind: 127.0.0.1}}}}
        destinations:
          pacs: {{ae_title: PACS, host: 127.0.0.1, port: {archive.port},
                  object_tries: 1, retry: {{first: 100 ms, longest: 1 s}}}}
        routes: [{{name: all, to: [pacs]}}]
        """
    )
    outcomes = []
    for _ in range(4):
        dataset = make_dataset()
        assert [answer.status for answer in router.send(dataset)] == [0]
        outcomes.append(router.delivery(dataset.SOPInstanceUID))
    assert [each.state for each in outcomes] == ["held", "delivered", "delivered", "delivered"]
    assert [len(each.attempts) for each in outcomes] == [1, 1, 2, 1]
    assert len(archive.received) == 2
    assert archive.received[-1].SOPInstanceUID == dataset.SOPInstanceUID
    assert "1 delivery held" in router.status()


def test_an_archive_may_be_down_or_reject(dicom_archive):
    from router.wire import Peer, connect

    archive = dicom_archive()
    peer = Peer("127.0.0.1", archive.port, "ARCHIVE", "ME")
    contexts = [(CTImageStorage, ["1.2.840.10008.1.2"])]
    archive.rejects = True
    with pytest.raises(AssociationRejected):
        connect(peer, contexts)
    archive.down()
    with pytest.raises(WireError):
        connect(peer, contexts)
    archive.rejects = False
    archive.up()
    connect(peer, contexts).release()


def test_in_a_router_what_hangs_or_crashes_fails_as_it_does_in_production(
    plugin, dicom_archive, dicom_router
):
    archive = dicom_archive()
    router = dicom_router(ROUTER.format(pacs=archive.destination))
    made = {kind: make_dataset(PatientID=kind) for kind in ("hang", "crash", "fine")}
    assert {answer.status for answer in router.send(*made.values())} == {0}
    copies = {kind: router.copy(dataset.SOPInstanceUID) for kind, dataset in made.items()}
    assert [copy.state for copy in copies.values()] == ["held", "held", "processed"]
    assert copies["hang"].reason == "it did not finish within 1 s"
    assert copies["crash"].reason == "its worker process ended: exit code 3"
    router.until(lambda: len(archive.received) == 1, "the one that is fine arrives")
    assert str(archive.received[0].PatientName) == "Somebody^Else"


def test_killed_workers_are_replaced(plugin, dicom_archive, dicom_router):
    archive = dicom_archive()
    router = dicom_router(ROUTER.format(pacs=archive.destination))
    first, second = make_dataset(), make_dataset()
    router.send(first)
    assert router.copy(first.SOPInstanceUID).state == "processed"
    assert router.kill_workers() >= 1
    router.send(second)
    assert router.copy(second.SOPInstanceUID).state == "processed"


def test_nothing_of_it_needs_pytest_but_the_fixtures():
    code = "import router.testing, sys; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_it_is_a_pytest_plugin_for_others(tmp_path):
    (tmp_path / "conftest.py").write_text(
        'from router.testing import make_dataset\n\npytest_plugins = ["router.testing"]\n'
    )
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent(
            """
            def test_mine(dicom_chain, dicom_instance):
                made = dicom_chain("[{set: {PatientID: X}}]").run(dicom_instance().dataset)
                assert made.dataset.PatientID == "X"
            """
        )
    )
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_make_instance_and_hooks_alone_do_for_a_unit_test(dicom_instance):
    def check(instance):
        if not instance.dataset.get("AccessionNumber"):
            raise Hold("it has no accession number")

    check(dicom_instance(AccessionNumber="1"))
    with pytest.raises(Hold):
        check(dicom_instance())
    assert encode(make_dataset())
