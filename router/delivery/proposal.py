"""The presentation contexts proposed to a destination: from what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.delivery.transcoding import forms

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = tuple[str, str]  # SOP class UID, transfer syntax UID

_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255


def propose(
    first: Kind, kinds: Iterable[Kind], wanted: tuple[str, ...] = ()
) -> tuple[frozenset[Kind], list[tuple[str, list[str]]]]:
    """The kinds proposed, `first` surely and of the others as many as fit, and their contexts.

    Each kind has a context for every form it may leave in, those `wanted` among them, so that one
    negotiation tells which the peer takes. One transfer syntax per context: of several in one the
    acceptor picks a single one, and the instances that have another could not be sent as they are.
    """
    proposed: dict[Kind, None] = {}
    contexts: dict[Kind, None] = {}
    for kind in dict.fromkeys([first, *kinds]):
        sop_class_uid, transfer_syntax = kind
        leaves = [transfer_syntax, *forms(transfer_syntax, wanted)]  # as it came comes first
        needed = dict.fromkeys((sop_class_uid, form) for form in leaves)
        if len(contexts | needed) > _MOST_CONTEXTS:
            break
        contexts |= needed
        proposed[kind] = None
    return frozenset(proposed), [(sop_class, [syntax]) for sop_class, syntax in contexts]
