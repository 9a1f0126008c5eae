"""Commands about configuration files; no router needs to run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.config import ConfigError, report
from router.config.differences import Homes, differences
from router.operate.cli_common import (
    CONFIG,
    checked,
    config_argument,
    find_config,
    json_option,
    print_json,
)
from router.operate.generation import read_config

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.config import Config
    from router.config.mistakes import Mistake


@click.command()
@config_argument
@click.option("--strict", is_flag=True, help="End with 1 where there is a lint.")
@json_option
def check(config: Path | None, strict: bool, as_json: bool) -> None:
    """Say every mistake and lint in CONFIG, with its line; starts nothing.

    Without CONFIG: $DICOM_ROUTER_CONFIG, ./config.yaml or /etc/dicom-router/config.yaml.
    """
    path = find_config(config)
    if as_json:
        raise SystemExit(_check_as_json(path, strict))
    good = read_checked(path)
    click.echo(
        f"{path}: good. Listeners: {len(good.listeners)}, routes: {len(good.routes)}, "
        f"destinations: {len(good.destinations)}."
    )
    raise SystemExit(int(strict and bool(good.lints)))


def _check_as_json(path: Path, strict: bool) -> int:
    try:
        lints = read_config(path).lints
    except ConfigError as error:
        print_json(_findings(error.mistakes))
        return 2
    print_json(_findings(lints))
    return int(strict and bool(lints))


def _findings(mistakes: Iterable[Mistake]) -> list[dict[str, object]]:
    return [
        {**asdict(each.position), "path": each.path, "level": each.level, "message": each.message}
        for each in mistakes
    ]


def read_checked(path: Path) -> Config:
    """The configuration, its lints said; all its mistakes and exit code 2 where it has any."""
    config = checked(path)
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


@click.command()
@click.argument("old", type=CONFIG)
@click.argument("new", type=CONFIG)
@json_option
@click.option("--exit-code", is_flag=True, help="End with 1 where something is different.")
def diff(old: Path, new: Path, as_json: bool, exit_code: bool) -> None:
    """Say what NEW changes for listeners, routes, destinations and plugins, compared with OLD."""
    before, after = checked(old), checked(new)
    found = differences(before, after, Homes(old.absolute().parent, new.absolute().parent))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        click.echo("\n".join(map(str, found)) or "The router would do the same.")
    raise SystemExit(int(exit_code and bool(found)))
