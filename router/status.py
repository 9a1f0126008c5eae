"""The DIMSE statuses we answer, and what a peer's status says about what to do next."""

from enum import Enum

SUCCESS = 0x0000
REFUSED_SOP_CLASS_NOT_SUPPORTED = 0x0122
REFUSED_NOT_AUTHORISED = 0x0124
PROCESSING_FAILURE = 0x0110
UNRECOGNIZED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
DATASET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000


class Verdict(Enum):
    """What the status of a C-STORE response means for the delivery (PS3.4 B.2.3, PS3.7 C)."""

    DELIVERED = "delivered"
    DELIVERED_WITH_WARNING = "delivered with a warning"
    DESTINATION_FAILED = "destination failed"  # everything for it waits, and is tried without end
    OBJECT_REFUSED = "object refused"  # only this one: tried again a few times, then held


def classify(status: int) -> Verdict:
    """Class a C-STORE response status.

    0xA7xx (out of resources) and 0x0210-0x0213 (duplicate invocation, resource limitation and
    their like) speak of the peer's state and pass; every other failure speaks of this object.
    """
    if status == SUCCESS:
        return Verdict.DELIVERED
    if status == 0x0001 or status in (0x0107, 0x0116) or status >> 12 == 0xB:
        return Verdict.DELIVERED_WITH_WARNING
    if status >> 8 == 0xA7 or 0x0210 <= status <= 0x0213:
        return Verdict.DESTINATION_FAILED
    return Verdict.OBJECT_REFUSED
