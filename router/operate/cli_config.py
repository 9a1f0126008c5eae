"""Commands about configuration files; no router needs to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.config import ConfigError, report
from router.operate.cli_common import config_argument, fail, find_config, print_json
from router.operate.generation import read_config

if TYPE_CHECKING:
    from router.config import Config


@click.command()
@config_argument
@click.option("--strict", is_flag=True, help="End with 1 where there is a lint.")
def check(config: Path | None, strict: bool) -> None:
    """Say every mistake and lint in CONFIG, with its line; starts nothing.

    Without CONFIG: $DICOM_ROUTER_CONFIG, ./config.yaml or /etc/dicom-router/config.yaml.
    """
    path = find_config(config)
    checked = read_checked(path)
    click.echo(
        f"{path}: good. Listeners: {len(checked.listeners)}, routes: {len(checked.routes)}, "
        f"destinations: {len(checked.destinations)}."
    )
    raise SystemExit(int(strict and bool(checked.lints)))


def read_checked(path: Path) -> Config:
    """The configuration, its lints said; all its mistakes and exit code 2 where it has any."""
    try:
        config = read_config(path)
    except ConfigError as error:
        fail(report(error.mistakes), 2)
    if config.lints:
        click.echo(report(config.lints), err=True)
    return config


@click.command()
def schema() -> None:
    """Print a JSON Schema of the configuration, for completion and hover text in editors."""
    from router.config.json_schema import json_schema
    from router.routing.options_schema import options_schema
    from router.routing.plugins import known_plugins

    here = Path.cwd()
    print_json(json_schema({name: options_schema(name, here) for name in known_plugins()}))
