"""An example from the documentation that goes wrong in every way, in a router that goes on."""

import shutil

from pydicom.uid import generate_uid

from router.testing import make_dataset
from router.testing.routers import store
from router.wire import Peer, connect

from ..conftest import REPOSITORY
from .peers import until

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
logging: {level: debug}
listeners:
  modalities: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  clinic: {type: folder, directory: ./clinic}
  study: {type: folder, directory: ./study}
plugins:
  faulty: {use: faulty.py:Faulty, options: {secret: 0123456789abcdef}, timeout: 4 s}
routes:
  - {name: clinical, to: [clinic]}
  - {name: research, chain: [faulty], to: [study]}
processing: {workers: 1}
"""
FAULTY = '''
"""The example anonymizer, with what can go wrong in it."""
import logging
import os
import time

from anonymizer import Anonymizer

from router import Instance, hookimpl


class Faulty(Anonymizer):
    def __init__(self, secret: str) -> None:
        super().__init__(secret)

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        name = str(instance.dataset.PatientName)
        match instance.dataset.get("StudyDescription"):
            case "crashes":
                os.abort()
            case "ends":
                os._exit(0)
            case "hangs":
                time.sleep(3600)
            case "eats memory":
                eaten = []
                while True:
                    eaten.append(bytes(1 << 28))
            case "raises":
                raise ValueError(f"cannot anonymize {name}")
            case "logs":
                try:
                    raise KeyError(name)
                except KeyError:
                    logging.getLogger("router.plugins.faulty").exception("a study went wrong")
                print(name)
        super().rewrite_instance(instance)
'''
REASONS = {
    "crashes": "its worker process ended: SIGABRT",
    "ends": "its worker process ended",
    "hangs": "it did not finish within 4 s",
    "eats memory": "MemoryError at ",
    "raises": "ValueError at ",
}


def test_each_fault_holds_its_copy_and_neither_intake_nor_others_notice(run_router, tmp_path):
    folder = tmp_path / "router"
    folder.mkdir()
    shutil.copy(REPOSITORY / "docs" / "examples" / "anonymizer.py", folder)
    (folder / "faulty.py").write_text(FAULTY)
    router = run_router(CONFIG)
    study = generate_uid()
    sent = {
        kind: make_dataset(
            StudyDescription=kind, PatientName="Secret^Patient", StudyInstanceUID=study
        )
        for kind in (*REASONS, "logs", "fine")
    }
    port = router.port("modalities")
    association = connect(
        Peer("127.0.0.1", port, "ROUTER", "CT1"),
        [("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2.1"])],
    )
    assert {store(association, dataset).status for dataset in sent.values()} == {0}
    association.release()

    def copies() -> dict[str, dict]:
        trail = router.ask("where", uid=study)["instances"]
        uids = {dataset.SOPInstanceUID: kind for kind, dataset in sent.items()}
        return {uids[each["sop_instance_uid"]]: each["copies"][1] for each in trail}

    until(
        lambda: len(copies()) == 7 and all(c["state"] != "received" for c in copies().values()),
        "every chain has run",
    )
    found = copies()
    assert {kind: copy["state"] for kind, copy in found.items()} == dict.fromkeys(
        REASONS, "held"
    ) | {"logs": "processed", "fine": "processed"}
    for kind, reason in REASONS.items():
        assert found[kind]["reason"].startswith(reason), kind
        assert (found[kind]["plugin"], found[kind]["hook"]) == ("faulty", "rewrite_instance")
    until(lambda: len(list((folder / "clinic").rglob("*.dcm"))) == 7, "the other route goes on")
    until(lambda: len(list((folder / "study").rglob("*.dcm"))) == 2, "and so do other copies")
    status = router.command("status")
    assert "route research: 1 copy held by faulty: it did not finish within 4 s" in status.stdout
    assert "plugin faulty: rewrite_instance called " in status.stdout
    log = router.log.read_text()
    assert "a study went wrong" in log
    assert "Secret" not in log + status.stdout + router.command("where", study).stdout
    assert router.stop() == 0
    assert "Secret" not in router.log.read_text()
