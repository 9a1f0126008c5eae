"""Two archives behind a router: the configs, and the time until both have everything."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.lab import LONGEST, NODELAY, Lab, free_port
from tests.story.peers import StoreScp

TWO_ROUTES = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  first: {{ae_title: FIRST, host: 127.0.0.1, port: {first}}}
  second: {{ae_title: SECOND, host: 127.0.0.1, port: {second}}}
routes:
  - {{name: first, to: [first]}}
  - {{name: second, {chain}to: [second]}}
"""
TWENTY_ELEMENTS = {
    "InstitutionName": "St. Elsewhere", "InstitutionAddress": "1 Main Street",
    "InstitutionalDepartmentName": "Radiology", "StationName": "CT1",
    "ReferringPhysicianName": "Nobody", "PerformingPhysicianName": "Nobody",
    "OperatorsName": "Nobody", "PhysiciansOfRecord": "Nobody", "AccessionNumber": "B-1",
    "PatientName": "SUBJECT^{PatientID}", "PatientID": "S-{PatientID}", "PatientSex": "O",
    "PatientBirthDate": "19000101", "PatientAge": "050Y", "PatientComments": "none",
    "StudyDescription": "Trial", "SeriesDescription": "Trial series", "ProtocolName": "Protocol",
    "StudyID": "2", "ClinicalTrialSubjectID": "{PatientID}",
}  # fmt: skip
TO_BOTH = """\
function OnStoredInstance(instance, tags, metadata, origin)
  SendToModality(instance, 'first')
  SendToModality(instance, 'second')
end
"""


def two_routes(sinks: list[StoreScp], rewriting: bool = False) -> str:
    chain = f"chain: [set: {json.dumps(TWENTY_ELEMENTS)}], " if rewriting else ""
    return TWO_ROUTES.format(first=sinks[0].port, second=sinks[1].port, chain=chain)


@contextmanager
def orthanc(lab: Lab, sinks: list[StoreScp]) -> Iterator[int]:
    """An Orthanc that sends everything it stores to both sinks; its DICOM port."""
    folder, port = lab.folder("orthanc"), free_port()
    (folder / "both.lua").write_text(TO_BOTH)
    settings = {
        "DicomAet": "ROUTER",
        "DicomPort": port,
        "HttpPort": free_port(),
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAlwaysAllowStore": True,
        "LuaScripts": [str(folder / "both.lua")],
        "DicomModalities": {
            "first": ["FIRST", "127.0.0.1", sinks[0].port],
            "second": ["SECOND", "127.0.0.1", sinks[1].port],
        },
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with lab.running(["Orthanc", str(folder / "orthanc.json")], port):
        yield port


def until_archived(lab: Lab, port: int, folders: list[Path], sinks: list[StoreScp]) -> float:
    """Seconds from the start of the sender until the sinks have written the last file."""
    for sink in sinks:
        lab.folder(sink.directory.name)
    expected = sum(len(list(folder.iterdir())) for folder in folders)
    began = time.perf_counter()
    lab.send(port, folders, **NODELAY)
    while any(len(sink.files()) < expected for sink in sinks):
        if time.perf_counter() - began > LONGEST:
            raise TimeoutError("the archives do not have everything")
        time.sleep(0.02)
    return time.perf_counter() - began
