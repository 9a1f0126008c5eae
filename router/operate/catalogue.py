"""`dicom-router plugins`: what can stand in a chain, and which hooks it has."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.hookspecs import HOOKS
from router.operate.cli_common import fail, print_json, settings
from router.routing import PluginError, known_plugins, load_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config import PluginUse


@dataclass(frozen=True)
class Listed:
    """One plugin as it is listed; `problem` is why it cannot be used."""

    name: str
    use: str
    about: str
    hooks: tuple[str, ...]
    problem: str | None = None


def print_plugins(config: Path | None, as_json: bool) -> None:
    """List them; ends with 1 when one cannot be loaded."""
    listed = [_describe(name, name, Path.cwd()) for name in sorted(known_plugins())]
    if config is not None:
        listed += [_describe(use.name, use.use, use.directory) for use in _used(config)]
    if as_json:
        print_json([asdict(each) for each in listed])
    for each in listed if not as_json else ():
        called = f"{each.name} ({each.use})" if each.name != each.use else each.name
        click.echo(f"{called}: {each.problem or each.about}")
        click.echo(f"    {', '.join(each.hooks) or 'no hooks'}")
    problems = [each for each in listed if each.problem]
    if problems:
        fail(f"{len(problems)} cannot be loaded")


def _used(config: Path) -> Iterator[PluginUse]:
    yield from settings(config).plugins.values()


def _describe(name: str, use: str, directory: Path) -> Listed:
    try:
        plugin = load_plugin(use, directory)
    except PluginError as error:
        return Listed(name, use, "", (), str(error))
    about = inspect.getdoc(plugin) or inspect.getdoc(inspect.getmodule(plugin)) or ""
    hooks = tuple(hook for hook in HOOKS if hasattr(plugin, hook))
    return Listed(name, use, about.partition("\n")[0], hooks)
