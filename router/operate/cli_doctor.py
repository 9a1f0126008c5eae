"""The command that compares the spool's files with its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from router.operate.cli_common import ask, config_option, json_option, print_json
from router.operate.terminal import say
from router.operate.words import index_trouble

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
@json_option
@click.option("--repair", is_flag=True, help="Remove orphans, hold what lost its bytes.")
def doctor(config: Path | None, as_json: bool, repair: bool) -> None:
    """Whether the spool's files and its ledger agree. Exit code 1 when something was found."""
    with Console(stderr=True).status("comparing files and ledger"):  # on a terminal only
        found = ask(config, "doctor", repair=repair)
    if as_json:
        print_json(found)
    else:
        say(*_report(found, repair))
    raise SystemExit(1 if any(found.values()) else 0)


def _report(found: dict[str, Any], repaired: bool) -> list[str]:
    if not any(found.values()):
        return ["The ledger is whole, every file is where it says, and local indexes can answer."]
    held, removed = "--repair holds what waits of it", "--repair removes it"
    if repaired:
        held, removed = "held; restore the file and `queue release`", "removed"
    return [
        *(
            f"ledger: {problem} (stop the router and restore ledger.db from a backup)"
            for problem in found["ledger"]
        ),
        *(
            f"lost: {each['sop_instance_uid']} in {each['path']}: {each['problem']}; {held}"
            for each in found["lost"]
        ),
        *(f"orphan: {path}: nothing refers to it; {removed}" for path in found["orphans"]),
        *(
            f"unrecorded: {path}: holds instances the ledger does not know; left as it is"
            for path in found["unrecorded"]
        ),
        *(f"index: {each['destination']}: {index_trouble(each)}" for each in found["indexes"]),
    ]
