"""What a part of the suite found."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Result:
    """One row of the table: `figures` are what was found, once for each repetition.

    `raw` is what they were worked out from, by who was measured. A row without a target reports.
    """

    what: str
    against: str
    unit: str
    figures: list[float]
    target: float | None = None
    at_least: bool = False
    raw: dict[str, list[float]] = field(default_factory=dict)
    raw_unit: str = "s"
    note: str = ""

    @property
    def figure(self) -> float:
        return median(self.figures)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.figure >= self.target if self.at_least else self.figure <= self.target


@dataclass(frozen=True)
class Skipped:
    """A row that could not be measured here."""

    what: str
    why: str
