"""The Identifier of a query or response on its way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.wire.errors import ProtocolViolation
from router.wire.limits import IDENTIFIER_MAXIMUM
from router.wire.pdv import INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Identifier:
    """An Identifier on its way in, within a cap."""

    def __init__(self, take: Callable[[bytes], None], maximum: int = IDENTIFIER_MAXIMUM) -> None:
        self._take = take
        self._maximum = maximum
        self._data = bytearray()

    def write(self, fragments: Sequence[memoryview]) -> None:
        for fragment in fragments:
            self._data += fragment
        if len(self._data) > self._maximum:
            text = f"Identifier of more than {self._maximum} bytes"
            raise ProtocolViolation(text, INVALID_PARAMETER)

    def complete(self) -> None:
        self._take(bytes(self._data))

    def abandon(self) -> None:
        self._data.clear()
