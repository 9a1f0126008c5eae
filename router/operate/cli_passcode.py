"""The command that writes the file of users who may identify themselves to a listener."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from router.config.passcodes import with_user
from router.operate.cli_common import fail


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("name")
def passcode(file: Path, name: str) -> None:
    """Add the user NAME to FILE, or give them another passcode; it is asked for.

    FILE is what a listener's `accept: {user: FILE}` names. Only hashes are written.
    """
    secret = click.prompt("Passcode", hide_input=True, confirmation_prompt=True)
    try:
        before = file.read_text("utf-8") if file.exists() else ""
        _replace(file, with_user(before, name, secret))
    except ValueError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    click.echo(f"{file}: {name} has a passcode. A router that uses the file reads it by itself.")


def _replace(file: Path, text: str) -> None:
    """At once, and readable by its owner only."""
    made = file.with_name(f".{file.name}.new")
    with suppress(FileNotFoundError):
        made.unlink()
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    made.replace(file)
