"""What the commands share: which configuration, how to reach its router, how to end.

A command that only asks a running router is to be quick, so what else there is to import is
imported where it is needed.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from router.operate import control
from router.operate.spool_place import find_spool
from router.operate.terminal import say

if TYPE_CHECKING:
    from router.config import Config

CONFIG = click.Path(exists=True, dir_okay=False, path_type=Path)

PLACES = (Path("config.yaml"), Path("/etc/dicom-router/config.yaml"))
_VARIABLE = "DICOM_ROUTER_CONFIG"

config_argument = click.argument("config", type=CONFIG, required=False, envvar=_VARIABLE)
_config_option = partial(
    click.option,
    "--config",
    envvar=_VARIABLE,
    help="Default: $DICOM_ROUTER_CONFIG, ./config.yaml, /etc/dicom-router/config.yaml.",
)
config_option = _config_option(type=CONFIG)
deleted_config_option = _config_option(type=click.Path(dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")


def find_config(given: Path | None) -> Path:
    """The configuration meant when none is named; ends the command with 2 when there is none."""
    if given is not None:
        return given
    for path in PLACES:
        if path.is_file():
            return path
    fail(
        f"no configuration: there is no ./config.yaml here (dicom-router init writes one); "
        f"name another, or set ${_VARIABLE}",
        2,
    )


def fail(text: str, code: int = 1) -> NoReturn:
    """End the command with a sentence, or lines of it, on standard error."""
    say(*text.split("\n"), err=True)
    raise SystemExit(code)


def ago(_: object, __: object, value: str | None) -> float | None:
    """An option's callback: how many seconds ago `24h` or `3d` is."""
    from router.config.units import duration

    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def checked(path: Path) -> Config:
    """The configuration with its plugins checked; its mistakes end the command with 2."""
    from router.config import ConfigError, report
    from router.operate.generation import read_config

    try:
        return read_config(path)
    except ConfigError as error:
        fail(report(error.mistakes), 2)


def settings(given: Path | None) -> Config:
    """The configuration as it stands; its mistakes end the command with 2."""
    from router.config import ConfigError, report
    from router.operate.generation import read_settings

    try:
        return read_settings(find_config(given))
    except ConfigError as error:
        fail(report(error.mistakes), 2)


def ask(given: Path | None, action: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    """Have an action carried out by the running router, or on its ledger where none runs."""
    path = find_config(given)
    try:
        return control.call(find_spool(path), action, **arguments)
    except control.WrongUsage as error:
        fail(str(error), 2)
    except control.ControlError as error:
        fail(str(error))
    except control.NotRunning:
        return _ask_ledger(settings(path), action, arguments)


def _ask_ledger(config: Config, action: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
    from router.operate.actions import Actions
    from router.spool import Spool, SpoolError, SpoolLocked

    directory = config.spool.directory
    if not directory.is_dir():
        fail(f"no router runs here, and there is no spool at {directory} yet")
    try:
        with Spool(directory, config.destinations) as spool:
            return Actions(spool, config).table()[action](**arguments)
    except SpoolLocked as error:
        fail(f"the router on this spool does not answer: {error}")
    except control.WrongUsage as error:
        fail(str(error), 2)
    except (SpoolError, ValueError, OSError) as error:
        fail(str(error))
