"""What a sender of ours says of a delivery: text for the trail, with the peer's status."""

from __future__ import annotations


class Receipt(str):
    """A `Sender`'s text that also knows the DIMSE status it came with."""

    status: int

    def __new__(cls, text: str, status: int) -> Receipt:
        receipt = super().__new__(cls, text)
        receipt.status = status
        return receipt
