"""What a query has found, as a table for people, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.operate.terminal import say, visible
from router.query.client import name_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.dataset import Attributes

_COMPUTED = ("=", "+", "-", "@", "\t", "\r")  # how formulas begin
_NUMBER = re.compile(r"[-+][\d.]+([eE][-+]?\d+)?")

Column = tuple[str, ...]  # the tags of an element, and before it of the sequences it is in


def columns_of(keys: Attributes) -> list[Column]:
    """As they were asked for; of a sequence the elements that are asked for in it."""
    return [
        (tag, *inner)
        for tag, (vr, items) in keys.items()
        for inner in (columns_of(items[0]) if vr == "SQ" and items and items[0] else [()])
    ]


def print_table(columns: Sequence[Column], matches: Iterable[Attributes]) -> None:
    """As wide as the terminal, or as needed where there is none."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        title = Text(name_of(column[-1]))
        table.add_column(title, overflow="fold", no_wrap=not sys.stdout.isatty())
    for match in matches:
        table.add_row(*(Text(visible(_cell(match, column))) for column in columns))
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_csv(columns: Sequence[Column], matches: Iterable[Attributes]) -> None:
    """One line of keywords, one for each match; several values are joined by a backslash.

    What a spreadsheet would compute has an apostrophe before it, which spreadsheets do not show.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(".".join(map(name_of, column)) for column in columns)
    for match in matches:
        writer.writerow(_only_text(_cell(match, column)) for column in columns)


def print_matches(matches: Iterable[Attributes]) -> None:
    """A JSON list of objects by keyword."""
    found = [plain(match) for match in matches]
    say(*json.dumps(found, indent=2, ensure_ascii=False).split("\n"))


def _only_text(cell: str) -> str:
    computed = cell.startswith(_COMPUTED) and not _NUMBER.fullmatch(cell)
    return "'" * computed + visible(cell)


def _cell(match: Attributes, column: Column) -> str:
    tag, *inner = column
    vr, values = match.get(tag, ("", []))
    if vr == "SQ" and inner:
        return "; ".join(_cell(item, tuple(inner)) for item in values)
    if vr == "SQ":
        return "; ".join(_words(plain(item)) for item in values)
    return "\\".join(map(str, values))


def _words(item: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value}"
        for name, value in item.items()
        if value not in ("", [])
    )
