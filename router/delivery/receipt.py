"""What senders of ours can say of a delivery that plugins' need not."""

from __future__ import annotations

from router.instance import Unavailable


class NotReached(Unavailable):
    """The destination failed before any object was sent: it is no object's fault."""


class Receipt(str):
    """A `Sender`'s text that also knows the DIMSE status it came with."""

    status: int

    def __new__(cls, text: str, status: int) -> Receipt:
        receipt = super().__new__(cls, text)
        receipt.status = status
        return receipt
