"""Changes to bytes, the same ones for the same seed: what the suite fuzzes with."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUMBERS = [0, 1, 2, 6, 7, 8, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]
FORMATS = [">B", ">H", "<H", ">L", "<L"]


def mutations(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """The seeds themselves, then `count` others made of them by one to four changes."""
    yield from seeds
    chance = random.Random(seed)
    for _ in range(count):
        changing = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            _change(changing, seeds, chance)
        yield bytes(changing)


def _change(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(7):
        case 0:
            data[at : at + 1] = chance.randbytes(1)
        case 1:
            form = chance.choice(FORMATS)
            size = struct.calcsize(form)
            data[at : at + size] = struct.pack(form, chance.choice(NUMBERS) % 256**size)
        case 2:
            del data[at : at + chance.choice([1, 2, 4, 100])]
        case 3:
            data[at:at] = chance.randbytes(chance.choice([1, 2, 4, 16]))
        case 4:
            data[at:at] = data[: chance.choice([6, 12, 40])]
        case 5:
            other = chance.choice(seeds)
            begin = chance.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + chance.choice([2, 8, 50])]
        case _ if data:  # a length that is off by one
            at = min(at, len(data) - 1)
            data[at] = (data[at] + chance.choice([1, -1])) % 256
