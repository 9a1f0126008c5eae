"""The parts of the suite, in the order of the table."""

from benchmarks.parts import (
    associations,
    backlog,
    checking,
    deidentify,
    flood,
    idle,
    latency,
    local_index,
    memory,
    pynetdicom,
    query,
    syncing,
    two_archives,
)
from benchmarks.parts.receive import Receive

PARTS = {
    "ct": Receive("ct", 500, 1, nagle=False, target=1.0),
    "ct-8": Receive("ct", 500, 8, nagle=False, target=1.0),
    "small": Receive("small", 2000, 1, nagle=False, target=1.2),
    "small-8": Receive("small", 2000, 8, nagle=False, target=1.0),
    "ct-nagle": Receive("ct", 500, 1, nagle=True, target=0.15, pairs=2),
    "small-nagle": Receive("small", 500, 1, nagle=True, target=0.05, pairs=2),
    "pynetdicom": pynetdicom.run,
    "orthanc": two_archives.against_orthanc,
    "set": two_archives.rewriting,
    "backlog": backlog.run,
    "checking": checking.run,
    "memory": memory.run,
    "idle": idle.run,
    "associations": associations.run,
    "flood": flood.run,
    "delivered": latency.delivered,
    "busy": latency.with_busy_workers,
    "syncing": syncing.run,
    "deidentify": deidentify.run,
    "find": query.find,
    "local-index": local_index.run,
    "move": query.move,
}
