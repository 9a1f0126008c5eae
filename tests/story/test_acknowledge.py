"""A modality that waits hears what became of its images: in the chains, or at the archives."""

import pytest
from pydicom.dataset import Dataset

from router.dataset import FileRange, open_part10
from router.wire import Peer, Response, connect
from tests.delivery.site import Scp

from .peers import RunningRouter, until
from .sending import content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1, {listener}}}
plugins:
  strict: {{use: "site.py:Strict"}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 300 ms, longest: 1 s}}}}
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
  {more}
routes:
{routes}
"""
ONE_ROUTE = "  - {name: everything, to: [pacs, vna]}"
CHAINS = """\
  - {name: plain, to: [vna]}
  - {name: checked, chain: [strict], to: [pacs]}"""
STRICT = """\
from router import Refusal, hookimpl


class Strict:
    @hookimpl
    def filter_instance(self, instance):
        if instance.dataset.PatientID == "REFUSE":
            return Refusal("no order for it", 0xC123)

    @hookimpl
    def verify_instance(self, instance):
        if instance.dataset.PatientID == "BREAK":
            raise ValueError(instance.dataset.PatientName)
"""
SAYS = {
    "GOOD": (0x0000, ""),
    "WARN": (0xB000, "Patient ID coerced"),
    "REFUSE": (0xA900, "no such study"),
    "WEIRD": (0xC123, "study is locked"),
}


def send(router: RunningRouter, path) -> Response:
    """One C-STORE, as a modality does it that waits for the answer."""
    part10 = open_part10(path)
    kind = (part10.sop_class_uid, [part10.transfer_syntax])
    peer = Peer("127.0.0.1", router.port("modalities"), "ROUTER", "CT1")
    association = connect(peer, [kind])
    context = association.context_for(part10.sop_class_uid, part10.transfer_syntax)
    data = FileRange(str(path), part10.dataset_offset, part10.length)
    answer = association.store(context, part10.sop_class_uid, part10.sop_instance_uid, [data])
    association.release()
    return answer


def states(router: RunningRouter, path) -> dict[str, str]:
    [instance] = router.ask("where", uid=path.stem)["instances"]
    return {one["destination"]: one["state"] for one in instance["deliveries"]}


@pytest.fixture
def made(tmp_path):
    """`made("WARN")` is the file of an instance of that patient."""
    return lambda patient: generate(tmp_path / patient, 1, PatientID=patient)[0]


@pytest.fixture
def choosy(started) -> Scp:
    """An archive that answers each patient as in SAYS."""

    def answer(event):
        found = Dataset()
        found.Status, found.ErrorComment = SAYS[event.dataset.PatientID]
        return found

    peer = Scp(answer)
    started.append(peer)
    return peer


@pytest.fixture
def run(run_router, tmp_path):
    """`run(listener="...", pacs=11112, routes=...)` is a router of CONFIG."""

    def start(**settings) -> RunningRouter:
        directory = tmp_path / "router"
        directory.mkdir()
        (directory / "site.py").write_text(STRICT)
        return run_router(CONFIG.format(**{"more": "", "routes": ONE_ROUTE, **settings}))

    return start


def test_success_means_that_every_archive_has_it(run, run_orthanc, storescp, made):
    orthanc, old = run_orthanc("PACS"), storescp("OLD")
    router = run(
        listener="acknowledge: delivered",
        pacs=orthanc.port,
        more=f"old: {{ae_title: OLD, host: 127.0.0.1, port: {old.port}}}",
        routes="  - {name: everything, to: [old, pacs]}",
    )
    path = made("ANY")
    assert send(router, path).status == 0
    assert len(orthanc.instances()) == 1
    assert [content(each) for each in old.files()] == [content(path)]


@pytest.mark.parametrize("patient", SAYS)
def test_the_modality_gets_the_archives_own_answer(run, choosy, made, patient):
    router = run(listener="acknowledge: delivered", pacs=choosy.port)
    found = send(router, made(patient))
    assert (found.status, found.error_comment) == SAYS[patient]


def test_the_worst_of_two_archives_is_the_answer(run, run_orthanc, choosy, made):
    orthanc = run_orthanc("OLD")
    router = run(
        listener="acknowledge: delivered",
        pacs=choosy.port,
        more=f"old: {{ae_title: OLD, host: 127.0.0.1, port: {orthanc.port}}}",
        routes="  - {name: everything, to: [old, pacs]}",
    )
    found = send(router, made("WEIRD"))
    assert (found.status, found.error_comment) == SAYS["WEIRD"]
    until(lambda: len(orthanc.instances()) == 1, "the other has it")


def test_an_archive_that_is_down_is_a_failure_and_gets_it_when_it_is_back(run, storescp, made):
    archive = storescp("PACS", start=False)
    waiting = "acknowledge: delivered, acknowledge_timeout: 1 s"
    router = run(listener=waiting, pacs=archive.port)
    path = made("ANY")
    found = send(router, path)
    assert (found.status, found.error_comment) == (
        0xA700, "not delivered in time; it stays queued",
    )  # fmt: skip
    assert states(router, path)["pacs"] == "queued"
    archive.start()
    until(lambda: len(archive.files()) == 1, "the archive has it")
    assert content(archive.files()[0]) == content(path)
    until(lambda: send(router, path).status == 0, "who sends again hears that it is there")


def test_processed_tells_how_the_chains_ended_and_keeps_nothing_of_what_failed(run, storescp, made):
    archive = storescp("PACS")
    router = run(listener="acknowledge: processed", pacs=archive.port, routes=CHAINS)
    good, refused, broken = (made(patient) for patient in ("GOOD", "REFUSE", "BREAK"))
    assert send(router, good).status == 0
    found = send(router, refused)
    assert (found.status, found.error_comment) == (0xC123, "strict: no order for it")
    failed = send(router, broken)
    assert failed.status == 0x0110
    assert failed.error_comment.startswith("strict: ValueError")
    assert "Test" not in failed.error_comment
    until(lambda: len(archive.files()) == 1, "the archive has the good one")
    until(lambda: states(router, good)["vna"] == "delivered", "the folder has it too")
    assert [path.stem for path in (router.directory / "vna").glob("*.dcm")] == [good.stem]
    for path in (refused, broken):
        [instance] = router.ask("where", uid=path.stem)["instances"]
        assert instance["state"] == "discarded"
        assert {copy["state"] for copy in instance["copies"]} == {"discarded"}
        assert instance["deliveries"] == []
