"""Where single round trips are timed: the router's own association class as the sender."""

import time
from pathlib import Path

from router.dataset import FileRange, open_part10
from router.wire import OutgoingAssociation, Peer, connect

VERIFICATION = ("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])
CT = ("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2.1"])


def associate(
    port: int, contexts: list[tuple[str, list[str]]], calling_ae_title: str = "CT1"
) -> OutgoingAssociation:
    return connect(Peer("127.0.0.1", port, "ROUTER", calling_ae_title), contexts)


def store(association: OutgoingAssociation, path: Path) -> float:
    """Seconds from the request to its answer, which must be Success."""
    part10 = open_part10(path)
    context = association.context_for(part10.sop_class_uid, part10.transfer_syntax)
    data = FileRange(str(path), part10.dataset_offset, part10.length)
    began = time.perf_counter()
    response = association.store(context, part10.sop_class_uid, part10.sop_instance_uid, [data])
    took = time.perf_counter() - began
    if response.status:
        raise RuntimeError(f"refused with status 0x{response.status:04X}")
    return took
