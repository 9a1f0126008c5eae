"""Text for a terminal: what peers and files say has no power over it, nor over the lines around."""

from __future__ import annotations

import json

import click

# Tabs, what scripts need to join letters and to be read in order, and other spaces.
_KEPT = "\t\xa0\u200c\u200d\u200e\u200f\u3000"


def visible(text: str) -> str:
    """One line: control characters, line ends and what turns the direction of text as JSON escapes
    them.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _KEPT else json.dumps(each)[1:-1] for each in text
    )


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each of which stays one."""
    click.echo("\n".join(map(visible, lines)), err=err)
