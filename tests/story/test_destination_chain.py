"""A destination's own chain changes what leaves to it alone, and is told how deliveries ended."""

import pydicom

from .peers import until
from .sending import content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
plugins:
  diary: {{use: "site.py:Diary", options: {{file: ./diary.txt}}}}
  strict: {{use: "site.py:Strict"}}
destinations:
  plain: {{ae_title: PLAIN, host: 127.0.0.1, port: {plain}}}
  changed:
    ae_title: CHANGED
    host: 127.0.0.1
    port: {changed}
    chain: [set: {{InstitutionName: "For {{calling_ae_title}}"}}, strict, diary]
routes:
  - {{name: everything, to: [plain, changed]}}
"""

SITE = """\
import os
from pathlib import Path
from router import hookimpl


class Strict:
    @hookimpl
    def rewrite_outgoing(self, instance, destination):
        if instance.dataset.PatientID == "BREAK":
            raise ValueError(instance.dataset.PatientName)
        instance.dataset.StationName = f"{destination.name} {os.getpid()}"


class Diary:
    def __init__(self, file: Path):
        self.file = file

    @hookimpl
    def delivery_ended(self, delivery):
        with self.file.open("a") as diary:
            diary.write(f"{delivery.sop_instance_uid} {delivery.outcome} {delivery.status}\\n")
"""


def test_it_changes_only_what_goes_there_runs_in_a_worker_and_fails_closed(
    run_router, storescp, tmp_path
):
    plain, changed = storescp("PLAIN"), storescp("CHANGED")
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "site.py").write_text(SITE)
    router = run_router(CONFIG.format(plain=plain.port, changed=changed.port))
    [good] = generate(tmp_path / "good", 1)
    [bad] = generate(tmp_path / "bad", 1, PatientID="BREAK", PatientName="Secret^Name")
    target = f"ROUTER@127.0.0.1:{router.port('modalities')}"
    router.command("send", "--calling-ae-title", "CT7", target, str(good), str(bad), check=True)
    until(lambda: len(plain.files()) == 2 and len(changed.files()) == 1, "they arrived")
    assert {content(path) for path in plain.files()} == {content(good), content(bad)}
    arrived = pydicom.dcmread(changed.files()[0])
    assert arrived.InstitutionName == "For CT7"
    name, process = arrived.StationName.split()
    assert name == "changed"
    assert int(process) != router.process.pid
    diary = router.directory / "diary.txt"
    until(lambda: diary.exists() and len(diary.read_text().splitlines()) == 2, "both were told")
    assert set(diary.read_text().splitlines()) == {
        f"{good.stem} delivered 0",
        f"{bad.stem} held None",
    }
    trail = router.command("where", bad.stem).stdout
    assert "changed: held: strict (rewrite_outgoing): ValueError" in trail
    assert "Secret" not in trail + router.log.read_text()
    assert list((router.spool / "outgoing").iterdir()) == []
