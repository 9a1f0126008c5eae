"""Each route has its own version of an instance; bulk is neither copied nor read to make it."""

from pathlib import Path

import pydicom
import pytest

from .peers import until
from .sending import content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  clinical: {{ae_title: CLINICAL, host: 127.0.0.1, port: {clinical}}}
  research: {{ae_title: RESEARCH, host: 127.0.0.1, port: {research}}}
plugins:
  broken: {{use: "broken.py:Broken"}}
routes:
  - {{name: clinical, to: [clinical]}}
  - name: research
    when: {{StudyDescription: "*research*"}}
    chain:
      - set: {{PatientName: "SUBJECT^{{PatientID}}", InstitutionName: "St. Elsewhere"}}
      - remove: [PatientBirthDate]
    to: [research]
  - name: broken
    when: {{PatientID: BREAK}}
    chain: [broken]
    to: [research]
"""

BROKEN = """\
from router import hookimpl

class Broken:
    @hookimpl
    def rewrite_instance(self, instance):
        raise ValueError(f"cannot handle {instance.dataset.PatientName}")
"""

BULK = 8 << 20


@pytest.fixture
def routed(run_router, storescp, tmp_path):
    clinical, research = storescp("CLINICAL"), storescp("RESEARCH")
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "broken.py").write_text(BROKEN)
    router = run_router(CONFIG.format(clinical=clinical.port, research=research.port))
    return router, clinical, research


def send(router, path: Path) -> None:
    router.command("send", f"ROUTER@127.0.0.1:{router.port('modalities')}", str(path), check=True)


def test_one_destination_has_the_instance_as_it_came_and_the_other_its_own_version(
    routed, tmp_path
):
    router, clinical, research = routed
    known = {"StudyDescription": "CHEST RESEARCH", "PatientBirthDate": "19700101"}
    [path] = generate(tmp_path / "sent", 1, pixels=BULK, **known)
    send(router, path)
    until(lambda: clinical.files() and research.files(), "both have it")

    assert content(clinical.files()[0]) == content(path)
    original, changed = pydicom.dcmread(path), pydicom.dcmread(research.files()[0])
    assert changed.PatientName == "SUBJECT^T-1"
    assert changed.InstitutionName == "St. Elsewhere"
    assert "PatientBirthDate" not in changed
    assert changed.PixelData == original.PixelData
    for element in original:
        if element.keyword not in ("PatientName", "PatientBirthDate"):
            assert changed[element.tag] == element

    files = [f for f in (router.spool / "files").rglob("*") if f.is_file() and f.name != "settled"]
    assert [BULK <= file.stat().st_size < BULK + 10_000 for file in files] == [True]
    assert not any(file.is_file() for file in (router.spool / "workspace").rglob("*"))
    database = sum(file.stat().st_size for file in router.spool.glob("ledger.db*"))
    assert database < BULK / 4


def test_workers_read_the_header_of_an_instance_and_not_its_bulk(routed, tmp_path):
    router, _, research = routed
    [first, second] = generate(tmp_path / "sent", 2, pixels=BULK, StudyDescription="RESEARCH")
    send(router, first)
    until(lambda: research.files(), "the workers have started")
    before = read_by_workers(router)
    send(router, second)
    until(lambda: len(research.files()) == 2, "the second one arrived")
    assert read_by_workers(router) - before < BULK / 8


def read_by_workers(router) -> int:
    """Bytes the router's child processes have read so far, from files and pipes."""
    children = Path(f"/proc/{router.process.pid}/task/{router.process.pid}/children")
    pids = children.read_text().split()
    nested = [
        pid
        for parent in pids
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ]
    total = 0
    for pid in {*pids, *nested}:
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            name, value = line.split(": ")
            total += int(value) if name == "rchar" else 0
    return total


def test_a_plugin_that_raises_holds_its_copy_names_no_patient_and_stops_nothing_else(
    routed, tmp_path
):
    router, clinical, research = routed
    [path] = generate(tmp_path / "sent", 1, PatientID="BREAK", PatientName="Secret^Name")
    send(router, path)
    until(lambda: clinical.files(), "the other route went on")
    until(lambda: router.ask("status")["summary"]["held_copies"], "the copy is held")
    [held] = router.ask("status")["summary"]["held_copies"]
    assert (held["route"], held["plugin"], held["hook"]) == (
        "broken",
        "broken",
        "rewrite_instance",
    )
    assert held["reason"].startswith("ValueError")
    assert research.files() == []
    said = router.log.read_text() + router.command("status").stdout
    said += router.command("queue", "list").stdout + router.command("where", path.stem).stdout
    assert "Secret" not in said


def test_an_instance_no_route_takes_is_refused_and_said_so(run_router, tmp_path):
    config = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  modalities: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  vna: {type: folder, directory: ./vna}
routes:
  - {name: mr, when: {Modality: MR}, to: [vna]}
"""
    router = run_router(config)
    [path] = generate(tmp_path / "sent", 1)
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    refused = router.command("send", target, str(path))
    assert refused.returncode == 1
    assert "0x0124 (No route takes it (listener modalities))" in refused.stderr
    assert "the sender must send again" in router.command("status").stdout
    assert not any(f.is_file() and f.name != "settled" for f in (router.spool / "files").rglob("*"))
