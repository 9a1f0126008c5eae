"""What came of examples, as a test runner says it: each failure with its line in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from router.operate.examples import Result


def say(result: Result) -> None:
    """One line for an example that passed; of one that failed what, with the file's own line."""
    name = result.example.name
    if not result.failures:
        click.echo(f"{click.style('passed', fg='green')}  {name}")
        return
    click.echo(f"{click.style('FAILED', fg='red', bold=True)}  {name}")
    for failure in result.failures:
        click.echo(f"    {failure.position}: {failure.message}")
        if line := failure.position.text().lstrip():
            click.echo(f"        {line}")


def result_json(result: Result) -> dict[str, Any]:
    position = result.example.position
    return {
        "name": result.example.name,
        "line": f"{position.file}:{position.line}",
        "passed": not result.failures,
        "failures": [
            {"line": f"{each.position.file}:{each.position.line}", "message": each.message}
            for each in result.failures
        ],
    }
