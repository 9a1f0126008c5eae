"""The commands about local indexes: `index rebuild`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from router.config import FolderDestination
from router.operate.cli_common import config_option, fail, json_option, print_json, settings
from router.operate.cli_progress import progress_bar
from router.operate.terminal import say
from router.spool import Indexes, Rebuilt, SpoolError, files_of, rebuild

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def index() -> None:
    """Local indexes: what folders with `index: true` answer queries from."""


@index.command("rebuild")
@click.argument("names", nargs=-1)
@config_option
@json_option
def rebuild_index(names: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Make the index of the folder destinations NAMES, or of all, anew from their files alone.

    The router may run meanwhile; it goes on writing, and answers from what there is.
    """
    read = settings(config)
    folders = {
        name: destination
        for name, destination in read.destinations.items()
        if isinstance(destination, FolderDestination) and destination.index
    }
    if unknown := [name for name in names if name not in folders]:
        known = ", ".join(folders) or "none"
        fail(f"{', '.join(unknown)}: no folder with `index: true`; there are: {known}", 2)
    indexes = Indexes(read.spool.directory)
    results: dict[str, Rebuilt] = {}
    try:
        for name in names or folders:
            results[name] = _rebuild(name, folders[name].directory, indexes, as_json)
    except (SpoolError, OSError) as error:
        fail(f"{name}: {error}")
    finally:
        indexes.close()
    _say(results, as_json)
    raise SystemExit(1 if any(result.others for result in results.values()) else 0)


def _rebuild(name: str, directory: Path, indexes: Indexes, quiet: bool) -> Rebuilt:
    with progress_bar(quiet) as progress:
        task = progress.add_task(f"{name}: counting", total=None)
        total = sum(1 for _ in files_of(directory))
        progress.update(task, description=name, total=total)
        return rebuild(indexes.of(name, directory), lambda: progress.advance(task))


def _say(results: dict[str, Rebuilt], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                name: {
                    "indexed": result.indexed,
                    "gone": result.gone,
                    "others": {os.fsdecode(path): why for path, why in result.others},
                }
                for name, result in results.items()
            }
        )
        return
    for name, result in results.items():
        for path, why in result.others:
            say(f"{name}: {os.fsdecode(path)}: not indexed: {why}", err=True)
        gone = f", {result.gone} without a file forgotten" if result.gone else ""
        click.echo(f"{name}: {result.indexed} instances indexed{gone}")
    if not results:
        click.echo("no folder has `index: true`")
