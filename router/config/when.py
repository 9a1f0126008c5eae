"""What a `when:` says, parsed: conditions about elements and the association, tests of a value.

Routing walks the conditions; each test knows by itself whether one value meets it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Literal

from router.config.measures import measure

if TYPE_CHECKING:
    from datetime import time
    from pathlib import Path as FilePath

    from router.config.mistakes import Position
    from router.dataset import Path

Operator = Literal["<", "<=", ">", ">="]
Attribute = Literal["calling_ae_title", "called_ae_title", "address", "peer", "listener", "time"]


@dataclass(frozen=True)
class Text:
    """Text where `*` stands for any characters and `?` for one; padding never counts.

    Case does not count either, except where `exact` (AE titles, UIDs).
    """

    pattern: str
    exact: bool = False

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        parts = [re.escape(part).replace(r"\?", ".") for part in self.pattern.strip().split("*")]
        expression = parts[0]
        if len(parts) > 1:
            # Atomic groups: what a `*` went past is not tried again, however many there are.
            expression += "".join(f"(?>.*?{part})" for part in parts[1:-1]) + f".*{parts[-1]}"
        return re.compile(expression, re.DOTALL | (0 if self.exact else re.IGNORECASE))

    def matches(self, value: str) -> bool:
        return self._expression.fullmatch(value.strip()) is not None


@dataclass(frozen=True)
class Exact:
    """An AE title, a UID or a configured name: case counts, padding does not."""

    value: str

    def matches(self, value: str) -> bool:
        return value.strip(" \0") == self.value


@dataclass(frozen=True)
class Number:
    """An amount, date, time or age on one side of `value`; see `measure` for the scale."""

    operator: Operator
    value: float
    vr: str

    def matches(self, value: str) -> bool:
        amount = measure(value, self.vr)
        return amount is not None and self.includes(amount)

    def includes(self, amount: float) -> bool:
        match self.operator:
            case "<":
                return amount < self.value
            case "<=":
                return amount <= self.value
            case ">":
                return amount > self.value
            case ">=":
                return amount >= self.value


@dataclass(frozen=True)
class Range:
    """An amount, date, time or age from `low` to `high`, both included."""

    low: float
    high: float
    vr: str

    def matches(self, value: str) -> bool:
        amount = measure(value, self.vr)
        return amount is not None and self.includes(amount)

    def includes(self, amount: float) -> bool:
        return self.low <= amount <= self.high


@dataclass(frozen=True)
class Listed:
    """One of the values in a column of a CSV file, as it was when the configuration was read."""

    file: FilePath
    column: str
    values: frozenset[str] = field(repr=False)  # stripped, and casefolded unless exact
    exact: bool = False

    def matches(self, value: str) -> bool:
        text = value.strip(" \0")
        return (text if self.exact else text.casefold()) in self.values


@dataclass(frozen=True)
class Exists:
    """Whether there is such an element (or peer) at all; asked of the element, not of a value."""

    present: bool


@dataclass(frozen=True)
class Network:
    """An address inside a network; IPv4 mapped into IPv6 counts as IPv4."""

    network: IPv4Network | IPv6Network

    def matches(self, value: str) -> bool:
        address = ip_address(value.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return address in self.network


@dataclass(frozen=True)
class TimeOfDay:
    """A span of the day from `start` up to `end`; over midnight where `end` is not later."""

    start: time
    end: time

    def includes(self, moment: time) -> bool:
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


Test = Text | Exact | Number | Range | Listed | Exists | Network | TimeOfDay


@dataclass(frozen=True)
class Element:
    """Any value of the element at `path` meets any of `tests`; missing or empty never does.

    `text` is the condition as it stands in the file, for explaining.
    """

    path: Path
    tests: tuple[Test, ...]
    text: str
    position: Position = field(compare=False)


@dataclass(frozen=True)
class AssociationIs:
    """The association's `attribute` (`time`: when the instance came) meets any of `tests`."""

    attribute: Attribute
    tests: tuple[Test, ...]
    text: str
    position: Position = field(compare=False)


@dataclass(frozen=True)
class All:
    """Every condition applies; none at all applies always."""

    conditions: tuple[When, ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801 - `typing.Any` is next to it everywhere
    """At least one condition applies."""

    conditions: tuple[When, ...]


@dataclass(frozen=True)
class Not:
    """The condition does not apply."""

    condition: When


When = Element | AssociationIs | All | Any_ | Not
