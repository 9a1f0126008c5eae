"""Paired runs: A B A B, so that whatever else the machine does happens to both."""

import os
from collections.abc import Callable

PAIRS = 5

Run = Callable[[], float]


def in_pairs(first: Run, second: Run, pairs: int = PAIRS) -> tuple[list[float], list[float]]:
    """What both say, pair by pair, after one run of each that does not count."""
    measured: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs + 1):
        for run, figures in zip((first, second), measured, strict=True):
            os.sync()  # nobody pays for what the other one left to be written
            figure = run()
            if number:
                figures.append(figure)
    return measured


def ratios(measured: tuple[list[float], list[float]]) -> list[float]:
    return [first / second for first, second in zip(*measured, strict=True)]
