"""What senders of ours can say of a delivery that plugins' need not."""

from __future__ import annotations

from typing import Protocol

from router.instance import Unavailable


class NotReached(Unavailable):
    """The destination failed before this object was its concern: it is not this object's fault."""


class Promise(Protocol):
    """The answer to something that was sent ahead of the answers to others."""

    @property
    def ready(self) -> bool:
        """It is known how it ended."""

    def result(self) -> Receipt:
        """Wait for it; raises as a `Sender` does."""


class Receipt(str):
    """A `Sender`'s text that also knows the DIMSE status it came with."""

    status: int

    def __new__(cls, text: str, status: int) -> Receipt:
        receipt = super().__new__(cls, text)
        receipt.status = status
        return receipt
