"""Study level C-FIND from a local index, beside dcmqrscp with as many studies as it can hold."""

import random
import subprocess
import time
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks.lab import LONGEST, NODELAY, Lab, free_port
from benchmarks.result import Result
from router.dataset import Attributes, encode_attributes, encode_file_meta, scan_segments
from router.query.client import add_key, encoded, sop_class
from router.spool import Indexes, entry_of
from router.spool.index import put
from router.wire import OutgoingAssociation, Peer, connect
from tests.query.peers import Dcmqrscp

STUDIES = 100_000
# In dcmqrscp, which holds at most 500 studies and 10,000 images, and looks at every image.
HELD, IMAGES = 250, 20
ASKED = 40  # queries of each kind
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
NAMES = ["ADAMS", "BAKER", "CLARK", "DAVIS", "EVANS", "FRANK", "GREEN", "HARRIS", "IRWIN", "JONES"]
RETURNED = ["PatientName", "PatientID", "StudyDate", "AccessionNumber", "StudyInstanceUID"]
CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: {folder}, index: true}}
query_retrieve:
  - {{name: vna, listener: main, upstreams: [vna], accept: {{calling_ae_titles: [WS1]}}}}
"""


def name(number: int) -> str:
    return f"{NAMES[number % 10]}{number % 997}^{NAMES[number // 10 % 10]}{number}"


def date(number: int) -> str:
    return f"20{number % 25:02}{number % 12 + 1:02}{number % 28 + 1:02}"


# How people ask; each has a few matches.
QUERIES: dict[str, Callable[[int], list[str]]] = {
    "Patient ID": lambda number: [f"PatientID=P{number}"],
    "Accession Number": lambda number: [f"AccessionNumber=A{number}"],
    "Study Instance UID": lambda number: [f"StudyInstanceUID=1.2.3.{number}"],
    "name with a wildcard": lambda number: [f"PatientName={name(number)[:-1]}*"],
    "name and dates": lambda number: [
        f"PatientName={name(number).partition('^')[0]}*",
        f"StudyDate={date(number)[:4]}0101-{date(number)}",
    ],
}


def run(lab: Lab) -> list[Result]:
    folder, home = lab.folder("vna"), lab.folder("router")
    _fill(home / "spool", folder)
    with lab.router(CONFIG.format(folder=folder), home) as router:
        ours = _measured(router.port("main"), "ROUTER", STUDIES)
    theirs = _of_dcmqrscp(lab)
    every = [seconds for some in ours.values() for seconds in some]
    return [
        Result(
            f"C-FIND among {STUDIES:,} studies of a local index, median",
            "",
            "ms",
            [1000 * median(every)],
            50,
            raw={kind: some for kind, some in ours.items()},
        ),
        Result(
            f"the same, times as fast as among {HELD:,} studies of {IMAGES} images",
            "DCMTK dcmqrscp",
            "x",
            [median(theirs[kind]) / median(ours[kind]) for kind in QUERIES],
            5,
            at_least=True,
            raw={f"dcmqrscp, {kind}": some for kind, some in theirs.items()},
        ),
    ]


@cache
def _constant() -> Attributes:
    values: Attributes = {}
    for text in (
        *(f"SOPClassUID={CT}", "StudyTime=101500", "Modality=CT", "Manufacturer=ACME"),
        *("StudyDescription=CT of something", "SeriesDescription=axial", "SeriesNumber=1"),
        *("PatientBirthDate=19600101", "PatientSex=F", "Rows=16", "Columns=16"),
    ):
        add_key(values, text)
    return values


def _instance(number: int, image: int = 0) -> Attributes:
    """A CT image of the study of that number."""
    return _constant() | {
        "00080018": ("UI", [f"1.2.5.{number}.{image}"]),
        "00080020": ("DA", [date(number)]),
        "00080050": ("SH", [f"A{number}"]),
        "00100010": ("PN", [name(number)]),
        "00100020": ("LO", [f"P{number}"]),
        "0020000D": ("UI", [f"1.2.3.{number}"]),
        "0020000E": ("UI", [f"1.2.4.{number}"]),
        "00200010": ("SH", [f"{number}"]),
        "00200013": ("IS", [f"{image}"]),
    }


def _fill(spool: Path, folder: Path) -> None:
    spool.mkdir()
    indexes = Indexes(spool)
    index = indexes.of("vna", folder)
    for start in range(0, STUDIES, 1000):
        with index.transaction() as connection:
            for number in range(start, start + 1000):
                scan = scan_segments([encode_attributes(_instance(number))], EXPLICIT)
                put(connection, entry_of(scan, b"-", number, f"1.2.5.{number}.0", EXPLICIT))
    indexes.close()


def _of_dcmqrscp(lab: Lab) -> dict[str, list[float]]:
    files = lab.folder("held")
    for number, image in product(range(HELD), range(IMAGES)):
        meta = encode_file_meta(CT, f"1.2.5.{number}.{image}", EXPLICIT)
        content = meta + encode_attributes(_instance(number, image))
        (files / f"{number}.{image}.dcm").write_bytes(content)
    peer = Dcmqrscp(lab.directory / "pacs", free_port(), "PACS").start()
    try:
        subprocess.run(
            ["storescu", "+sd", "-aec", "PACS", "127.0.0.1", str(peer.port), str(files)],
            check=True,
            capture_output=True,
            timeout=LONGEST,
            env=NODELAY,
        )
        return _measured(peer.port, "PACS", HELD)
    finally:
        peer.close()


def _measured(port: int, ae_title: str, studies: int) -> dict[str, list[float]]:
    """Seconds of each query, all over one association."""
    random.seed(1)
    sop_class_uid = sop_class("study", "find")
    association = connect(Peer("127.0.0.1", port, ae_title, "WS1"), [(sop_class_uid, [EXPLICIT])])
    context_id = association.context_for(sop_class_uid, EXPLICIT)
    assert context_id is not None
    took: dict[str, list[float]] = {}
    for kind, keys in QUERIES.items():
        some = [random.randrange(studies) for _ in range(ASKED)]
        took[kind] = [_ask(association, context_id, keys(number)) for number in some]
    association.release()
    return took


def _ask(association: OutgoingAssociation, context_id: int, keys: list[str]) -> float:
    identifier: Attributes = {}
    for text in ("QueryRetrieveLevel=STUDY", *RETURNED, *keys):
        add_key(identifier, text)
    began = time.perf_counter()
    inquiry = association.query("find", context_id, encoded(identifier))
    found = 0
    while (response := inquiry.receive(60.0)) is not None and not response.is_last:
        found += 1
    took = time.perf_counter() - began
    assert response is not None and response.status == 0 and found, keys
    return took
