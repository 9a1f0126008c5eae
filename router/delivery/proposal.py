"""The presentation contexts proposed to a destination: from what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = tuple[str, str]  # SOP class UID, transfer syntax UID

_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_LITTLE_ENDIAN = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)
_UNCOMPRESSED = frozenset({*_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"})


def propose(
    first: Kind, kinds: Iterable[Kind]
) -> tuple[frozenset[Kind], list[tuple[str, list[str]]]]:
    """The kinds proposed, `first` surely among them, and their contexts.

    One transfer syntax per context: of several in one the acceptor picks a single one, and the
    instances that have another could not be sent as they are. An uncompressed kind also gets the
    uncompressed little endian contexts, one of which every peer has to take (PS3.5 10.1).
    """
    proposed: dict[Kind, None] = {}
    contexts: dict[Kind, None] = {}
    for kind in [first, *sorted(set(kinds) - {first})]:
        sop_class_uid, transfer_syntax = kind
        syntaxes = [transfer_syntax]
        if transfer_syntax in _UNCOMPRESSED:
            syntaxes += _LITTLE_ENDIAN
        wanted = dict.fromkeys((sop_class_uid, syntax) for syntax in syntaxes)
        if len(contexts | wanted) > _MOST_CONTEXTS:
            break
        contexts |= wanted
        proposed[kind] = None
    return frozenset(proposed), [(sop_class, [syntax]) for sop_class, syntax in contexts]
