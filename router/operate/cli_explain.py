"""The commands that tell what a configuration would do, and do none of it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import click

from router.operate.cli_common import (
    CONFIG,
    ago,
    checked,
    config_argument,
    fail,
    find_config,
    json_option,
    print_json,
)
from router.operate.cli_progress import progress_bar


def _address(_: object, __: object, value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("config", type=CONFIG)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--calling-ae-title", default="MODALITY", show_default=True, help="Who sends.")
@click.option("--called-ae-title", help="Whom it is sent to; the listener's own if not said.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    callback=_address,
    help="Where it is sent from.",
)
@click.option("--listener", help="Where it arrives; the first that lets it in if not said.")
@click.option("--show-values", is_flag=True, help="Also values, which name patients.")
@json_option
def explain(
    config: Path,
    files: tuple[Path, ...],
    show_values: bool,
    as_json: bool,
    **sender: str,
) -> None:
    """What CONFIG would do with FILES, or all below a folder: routes, chains, destinations.

    Runs the real chains, keeps and sends nothing. Exit code 1 when something would be held,
    refused or taken by no route.
    """
    from router.operate import explain_json, explain_text
    from router.operate.explaining import Explainer
    from router.operate.given import Sender
    from router.operate.scu import walk

    settings = checked(config)
    if sender["listener"] and sender["listener"] not in settings.listeners:
        known = ", ".join(settings.listeners) or "none"
        fail(f"there is no listener {sender['listener']!r}; there are: {known}", 2)
    paths = list(walk(files))
    console, attention, printed = explain_text.console(), False, list[dict[str, object]]()
    with Explainer(settings, len(paths)) as explainer:
        for found in explainer.each(paths, lambda path: explainer.file(path, Sender(**sender))):
            attention |= found.attention
            if as_json:
                printed.append(explain_json.as_json(found, show_values))
            else:
                console.print(explain_text.render(found, settings, show_values))
    if as_json:
        print_json(printed)
    raise SystemExit(1 if attention else 0)


@click.command()
@config_argument
@click.option("-k", "text", default="", help="Only examples with this text in their name.")
@json_option
def test(config: Path | None, text: str, as_json: bool) -> None:
    """The examples in CONFIG's `tests:`: given this, expect these routes, destinations, values.

    Exit code 1 when one fails, or there is none. Nothing is kept or sent.
    """
    from router.operate.examples import run_examples
    from router.operate.examples_text import result_json, say

    settings = checked(find_config(config))
    chosen = [each for each in settings.tests if text.casefold() in each.name.casefold()]
    if not chosen:
        fail(f"no example has {text!r} in its name" if settings.tests else "there is no `tests:`")
    results = run_examples(settings, chosen, lambda result: None if as_json else say(result))
    failed = sum(bool(result.failures) for result in results)
    if as_json:
        print_json([result_json(result) for result in results])
    else:
        passed = len(results) - failed
        deselected = len(settings.tests) - len(chosen)
        others = f", {deselected} not run" if deselected else ""
        click.echo(f"{passed} passed" + (f", {failed} failed" if failed else "") + others)
    raise SystemExit(1 if failed else 0)


@click.command()
@config_argument
@click.option("--since", default="24h", show_default=True, callback=ago, help="How far back.")
@click.option("--limit", default=10_000, show_default=True, help="How many at most, newest first.")
@click.option(
    "--spool",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the instances lie, if not in CONFIG's own spool.directory.",
)
@json_option
def replay(
    config: Path | None, since: float, limit: int, spool: Path | None, as_json: bool
) -> None:
    """What CONFIG would do with the instances still in the spool, compared with what was done.

    Only reads, whether a router runs or not. Exit code 1 when something would change.
    """
    from router.operate import replay_text
    from router.operate.replaying import replay as run
    from router.spool import RetainedInstances, SpoolError

    settings = checked(find_config(config))
    try:
        retained = RetainedInstances(spool or settings.spool.directory, since, limit)
    except SpoolError as error:
        fail(str(error))
    with progress_bar(as_json) as shown:
        task = shown.add_task("replaying", total=len(retained))
        found = run(settings, retained, lambda: shown.advance(task))
    if as_json:
        print_json(replay_text.as_json(found, retained.total))
    else:
        replay_text.say(found, retained.total)
    raise SystemExit(1 if found.changes else 0)


@click.command()
@config_argument
def conformance(config: Path | None) -> None:
    """Print the DICOM conformance statement of CONFIG, in Markdown, in the order of PS3.2."""
    from router.operate.conformance import statement

    click.echo(statement(checked(find_config(config))), nl=False)
