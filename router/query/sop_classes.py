"""The SOP classes of query and retrieve (PS3.4 annexes C and K), and what may be asked of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.config.querying import QueryServiceName

_ROOT = "1.2.840.10008.5.1.4.1.2"
_MODELS = (f"{_ROOT}.1", f"{_ROOT}.2", f"{_ROOT}.3")  # Patient, Study, Patient/Study Only (retired)
_SERVICES: tuple[QueryServiceName, ...] = ("find", "move", "get")

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
SERVICES: dict[str, QueryServiceName] = {
    f"{model}.{number}": service for model in _MODELS for number, service in enumerate(_SERVICES, 1)
} | {MODALITY_WORKLIST: "worklist"}


def sibling(sop_class_uid: str, service: QueryServiceName) -> str:
    """The SOP class of the same information model for another service."""
    model = sop_class_uid.rpartition(".")[0]
    return f"{model}.{_SERVICES.index(service) + 1}"
