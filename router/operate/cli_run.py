"""Commands that begin something: run, init, demo, plugins."""

from __future__ import annotations

from pathlib import Path

import click

from router.config import ConfigError, init_text, report
from router.config.files import Files, reading
from router.operate import log
from router.operate.cli_common import CONFIG, config_argument, fail, find_config
from router.operate.cli_config import read_checked
from router.routing import HookFailed, PluginError
from router.spool import SpoolError


@click.command()
@config_argument
def run(config: Path | None) -> None:
    """Run the router until SIGTERM or SIGINT, which let it finish what it is at.

    Without CONFIG: $DICOM_ROUTER_CONFIG, ./config.yaml or /etc/dicom-router/config.yaml.
    """
    from router.operate.node import run_node  # the others need no sockets and no workers

    path = find_config(config)
    files = Files()
    with reading(files):
        checked = read_checked(path)
    told = checked.logging
    log.configure(told.level, told.format, told.patient_data)
    try:
        raise SystemExit(run_node(path, checked, files))
    except ConfigError as error:  # of plugins that did not start
        fail(report(error.mistakes), 2)
    except (OSError, SpoolError, HookFailed, PluginError) as error:
        fail(f"not started: {error}")


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
def init(directory: Path) -> None:
    """Write a commented config.yaml to start from into DIRECTORY."""
    target = directory / "config.yaml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with target.open("x") as file:
            file.write(init_text())
    except FileExistsError:
        fail(f"{target} is there already: nothing was written")
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    click.echo(f"{target} written. Next: dicom-router check {target}; dicom-router run {target}")


@click.command()
@click.option("--studies", default=4, show_default=True, help="How many CT studies to generate.")
@click.option("--slices", default=25, show_default=True, help="How many images in each.")
@click.option("--stay", is_flag=True, help="Go on running until Ctrl-C, to look around.")
def demo(studies: int, slices: int, stay: bool) -> None:
    """A router, two archives and generated studies, live on this machine's loopback."""
    from router.operate.demo import run_demo

    raise SystemExit(run_demo(studies, slices, stay))


@click.command()
@click.option("--config", type=CONFIG, help="Also the plugins this configuration uses.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plugins(config: Path | None, as_json: bool) -> None:
    """The plugins there are: shipped, installed, and a configuration's own."""
    from router.operate.catalogue import print_plugins

    print_plugins(config, as_json)
