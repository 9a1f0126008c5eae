"""What is proposed to an upstream for what a C-GET brings: storage SOP classes, in their forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynetdicom.presentation import StoragePresentationContexts

from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_CONTEXTS = 126  # two more are the query's
_PLAIN = [EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN]
_JPEG = "1.2.840.10008.1.2.4"
_COMPRESSED = [
    *(f"{_JPEG}.70", f"{_JPEG}.90", f"{_JPEG}.80", "1.2.840.10008.1.2.5"),  # lossless
    *(f"{_JPEG}.201", f"{_JPEG}.202", f"{_JPEG}.57"),
    *(f"{_JPEG}.50", f"{_JPEG}.51", f"{_JPEG}.91", f"{_JPEG}.81", f"{_JPEG}.203"),
    *(f"{_JPEG}.100", f"{_JPEG}.101", f"{_JPEG}.102", f"{_JPEG}.103"),  # MPEG
]
_IMAGES = "1.2.840.10008.5.1.4.1.1"
_OFTEN_COMPRESSED = [
    f"{_IMAGES}.{number}"
    for number in ("2", "4", "1", "1.1", "1.2", "6.1", "3.1", "7", "12.1", "12.2", "2.1", "4.1")
]


def contexts_for(accepted: Mapping[tuple[str, str], int]) -> list[tuple[str, list[str]]]:
    """Contexts to propose: of the classes a C-GET's requestor takes, or of all that are common.

    The provider chooses one form for each context, so what is often compressed has two.
    """
    taken = list(dict.fromkeys(uid for uid, _ in accepted if uid.startswith(_IMAGES)))
    common = [str(context.abstract_syntax) for context in StoragePresentationContexts]
    classes = taken or list(dict.fromkeys([*_OFTEN_COMPRESSED, *common]))
    twice = taken or _OFTEN_COMPRESSED
    contexts = [(uid, _COMPRESSED) for uid in twice][: _MOST_CONTEXTS // 2]
    contexts += [(uid, _PLAIN) for uid in classes][: _MOST_CONTEXTS - len(contexts)]
    return contexts
