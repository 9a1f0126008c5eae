"""What a query has found, as a table for people, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.query.client import name_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.dataset import Attributes


def print_table(columns: Sequence[str], matches: Iterable[Attributes]) -> None:
    """Columns are tags; as wide as the terminal, or as needed where there is none."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(Text(name_of(column)), overflow="fold", no_wrap=not sys.stdout.isatty())
    for match in matches:
        table.add_row(*(Text(_cell(match, column)) for column in columns))
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_csv(columns: Sequence[str], matches: Iterable[Attributes]) -> None:
    """One line of keywords, one for each match; several values are joined by a backslash."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(name_of, columns))
    for match in matches:
        writer.writerow(_cell(match, column) for column in columns)


def print_matches(matches: Iterable[Attributes]) -> None:
    """A JSON list of objects by keyword."""
    found = [plain(match) for match in matches]
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _cell(match: Attributes, tag: str) -> str:
    vr, values = match.get(tag, ("", []))
    if vr == "SQ":
        return "; ".join(_words(plain(item)) for item in values)
    return "\\".join(map(str, values))


def _words(item: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value}"
        for name, value in item.items()
        if value not in ("", [])
    )
