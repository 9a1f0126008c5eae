"""The Failed SOP Instance UID List (0008,0058) of a retrieve's last response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset import parse_path
from router.query.identifier import Identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.wire import QueryResponse

_TAG = 0x00080058
_PATH = parse_path("FailedSOPInstanceUIDList")
_LONGEST = 0xFFFE  # bytes of a value in Explicit VR


def failed_list(uids: Sequence[str], transfer_syntax: str) -> bytes:
    """The Identifier; of very many UIDs as many as one value can hold."""
    text = "\\".join(uids)
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rpartition("\\")[0]
    return Identifier(b"", transfer_syntax).replaced({_TAG: ("UI", text)}).data


def named_in(response: QueryResponse, transfer_syntax: str) -> set[str]:
    """The UIDs that an upstream names; none where it sends what cannot be read."""
    if not response.identifier:
        return set()
    try:
        return set(Identifier(response.identifier, transfer_syntax).texts(_PATH))
    except ValueError:
        return set()
