"""Commands about the configuration that is in effect, and those before it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from router.operate import control
from router.operate.cli_common import (
    PLACES,
    config_option,
    deleted_config_option,
    fail,
    find_config,
    json_option,
    print_json,
)
from router.operate.history import Entry, History, write_back
from router.operate.spool_place import find_spool
from router.operate.terminal import say


@click.command()
@config_option
@json_option
def reload(config: Path | None, as_json: bool) -> None:
    """Have the running router read its configuration again, and say what came of it.

    It does so by itself when a file changes. Ends with 0 when it is in effect; with 2 for mistakes
    in it and 1 for anything else: what was in effect before goes on then.
    """
    path = find_config(config)
    _say(_ask(path, "reload"), as_json)


@click.command()
@click.argument("number", type=int, required=False)
@deleted_config_option
@json_option
def rollback(number: int | None, config: Path | None, as_json: bool) -> None:
    """Write the files of generation NUMBER back, byte for byte, and have the router go by them.

    Without NUMBER: of the one in effect where the router refused what is there now, or the file is
    gone, otherwise of the one before it. Restores YAML files and FILE.py plugins; secrets and lists
    stay as they are.
    """
    path = _find_deleted(config)
    _say(_ask(path, "rollback", number=number), as_json)


@click.command()
@deleted_config_option
@json_option
def history(config: Path | None, as_json: bool) -> None:
    """The configurations there were: when, whose, what became of them."""
    path = _find_deleted(config)
    kept = History(find_spool(path) / "history", path)
    entries = kept.entries()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        say(_line(entry))
    if not entries:
        click.echo("no configuration was in effect yet")


def _find_deleted(given: Path | None) -> Path:
    """The configuration meant, be its file gone, as long as the spool is where it is by default."""
    places = PLACES if given is None else (given,)
    for is_it in (Path.is_file, _is_remembered):
        for path in places:
            if is_it(path):
                return path
    if given is None:
        return find_config(None)
    fail(
        f"{given} is not there, and {find_spool(given)} has no history of it: "
        "if spool.directory was another, write that into the file first",
        2,
    )


def _is_remembered(path: Path) -> bool:
    main = (str(path.absolute()),)
    kept = History(find_spool(path) / "history", path)
    return any(entry.files[:1] == main for entry in kept.entries())


def _line(entry: Entry) -> str:
    changed = ", ".join(Path(name).name for name in entry.changed)
    why = f": {entry.reason}" if entry.reason else ""
    when = entry.time.replace("T", " ").partition(".")[0]
    return f"{entry.number:6} {when} {entry.result:8} {entry.who} ({entry.by}) {changed}{why}"


def _ask(path: Path, action: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    directory = find_spool(path)
    try:
        return control.call(directory, action, **arguments)
    except control.ControlError as error:
        fail(str(error))
    except control.NotRunning:
        if action == "rollback":
            return _roll_back_offline(path, directory, arguments["number"])
        fail(
            f"no router runs on {directory}; if one runs elsewhere, "
            "spool.directory needs a restart of it to change"
        )


def _roll_back_offline(path: Path, directory: Path, number: int | None) -> Any:  # noqa: ANN401
    kept = History(directory / "history", path)
    applied = [entry.number for entry in kept.entries() if entry.result == "applied"]
    kept.current = applied[-1] if applied else 0
    if number is None:
        number = kept.previous() if path.is_file() else kept.current
    try:
        if number is None:
            raise ValueError("there is no earlier generation in the history")
        texts = kept.texts(number)
        there = {each: each.read_bytes() for each in texts if each.is_file()}
        write_back(texts, there, kept.access(number))
    except (ValueError, OSError) as error:
        fail(str(error))
    return {"result": "written", "number": number, "reason": "", "mistakes": ""}


def _say(outcome: Any, as_json: bool) -> None:  # noqa: ANN401 - JSON
    number = outcome["number"]
    if as_json:
        print_json(outcome)
    elif outcome["result"] == "refused":
        click.echo(outcome["mistakes"] or f"refused: {outcome['reason']}", err=True)
        click.echo(f"generation {number} stays in effect", err=True)
    else:
        said = {
            "applied": f"generation {number} is in effect",
            "unchanged": f"nothing has changed: generation {number} stays in effect",
            "written": f"generation {number} is written back; no router runs",
        }
        click.echo(said[outcome["result"]])
    raise SystemExit(0 if outcome["result"] != "refused" else 2 if outcome["mistakes"] else 1)
