"""Whether what arrived is what was announced: nothing else may be answered Success."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from router.dataset import parse_path, values
from router.status import CANNOT_UNDERSTAND, DATASET_MISMATCH, REFUSED_NOT_AUTHORISED
from router.wire import Response

if TYPE_CHECKING:
    from router.dataset import Scan
    from router.wire import StoreRequest

_UID = re.compile(r"[0-9][0-9.]{0,63}")  # PS3.5 9.1, leading zeros in a component tolerated
_SOP_CLASS_UID = parse_path("SOPClassUID")
_SOP_INSTANCE_UID = parse_path("SOPInstanceUID")


def find_invalid_uid(request: StoreRequest) -> Response | None:
    """The refusal of a command whose SOP UIDs cannot be UIDs."""
    if _UID.fullmatch(request.sop_instance_uid) and _UID.fullmatch(request.sop_class_uid):
        return None
    return Response(DATASET_MISMATCH, "The command's SOP UIDs are not valid UIDs")


def find_fault(request: StoreRequest, scan: Scan) -> Response | None:
    """The refusal of a data set that is not whole, or not the one its command names.

    One that is whole but cannot be walked to its end is no fault: it is passed on as it came.
    """
    if scan.problem and scan.problem.kind == "truncated":
        return Response(CANNOT_UNDERSTAND, f"Data set broken: {scan.problem.reason}")
    if scan.problem and scan.problem.kind == "oversized":
        return Response(REFUSED_NOT_AUTHORISED, f"{scan.problem.reason.capitalize()} of the router")
    for path, announced, name in (
        (_SOP_CLASS_UID, request.sop_class_uid, "SOP Class"),
        (_SOP_INSTANCE_UID, request.sop_instance_uid, "SOP Instance"),
    ):
        found = values(scan, path)
        if not found:
            if scan.problem:  # it may stand behind what could not be read
                continue
            return Response(DATASET_MISMATCH, f"The data set has no {name} UID")
        if found != (announced,):
            return Response(DATASET_MISMATCH, f"{name} UID of command and data set differ")
    return None
