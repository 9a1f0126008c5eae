"""How many requests may be outstanding: the Asynchronous Operations Window (PS3.7 D.3.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation

if TYPE_CHECKING:
    from router.wire.association import Association

WINDOW = 16  # C-STOREs outstanding on an association: what we ask for, and grant at most
_STORES = ("1.2.840.10008.5.1.4.1.1.", "1.2.840.10008.1.1")  # storage classes, Verification


def propose(association: Association, window: int) -> None:
    """Ask to have so many outstanding; 1 is what holds without asking."""
    if window > 1:
        association.requestor.add_negotiation_item(_item(window))


def granted(association: Association, proposed: int) -> int:
    """How many the acceptor lets us have outstanding; its 0, no limit, is all that we proposed."""
    invoked, _ = association.acceptor.asynchronous_operations
    return min(invoked or proposed, proposed)


def grant(association: Association) -> None:
    """Let a requestor that only stores send ahead: what comes is taken and answered in order.

    Not one that may query: requests that wait for their turn would be kept in memory.
    """
    invoked, _ = association.requestor.asynchronous_operations
    accepted = association._accepted_cx.values()
    if invoked != 1 and all(str(each.abstract_syntax).startswith(_STORES) for each in accepted):
        association.acceptor.add_negotiation_item(_item(min(invoked or WINDOW, WINDOW)))


def _item(invoked: int) -> AsynchronousOperationsWindowNegotiation:
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked = invoked
    item.maximum_number_operations_performed = 1  # towards the requestor nothing is invoked
    return item
