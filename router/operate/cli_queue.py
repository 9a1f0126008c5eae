"""Commands about what waits: status, queue, pause, resume, where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from router.operate.cli_common import ago, ask, config_option, fail, json_option, print_json
from router.operate.terminal import say
from router.operate.words import describe, needs_attention, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@click.command()
@config_option
@json_option
def status(config: Path | None, as_json: bool) -> None:
    """What needs attention, in words. Exit code 1 when something does."""
    found = ask(config, "status")
    attention = needs_attention(found)
    if as_json:
        print_json({**found, "attention": attention})
    else:
        click.echo(describe(found))
    raise SystemExit(1 if attention else 0)


@click.group()
def queue() -> None:
    """List, retry, hold, release, discard or move ahead what waits or is held."""


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--reason", help="Only what waits for a reason with this text in it."),
        click.option("--route", help="Only what this route made."),
        click.option("--study", help="Only this Study Instance UID, received or outgoing."),
        click.option("--destination", help="Only what is for this destination."),
    ):
        command = option(command)
    return config_option(json_option(command))


@queue.command("list")
@_selecting
@click.option("--limit", default=1000, show_default=True, help="How many rows at most.")
def list_(config: Path | None, as_json: bool, limit: int, **selection: str | None) -> None:
    """What waits or is held, oldest first."""
    rows = ask(config, "queue list", limit=limit, **selection)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(_row(row))
    click.echo(
        f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}"
        + (" (there may be more: --limit)" if len(rows) == limit else "")
    )


def _row(row: dict[str, Any]) -> str:
    where = ", ".join(row["destinations"]) or "-"
    text = (
        f"{row['kind']} {row['id']} {row['state']} since {row['since']} "
        f"route {row['route'] or '-'} to {where}: {row['sop_instance_uid']} ({size(row['size'])})"
    )
    if row["attempts"]:
        text += f", {row['attempts']} {'try' if row['attempts'] == 1 else 'tries'}"
    if row["due"]:
        text += f", next {row['due']}"
    return text + (f": {row['reason']}" if row["reason"] else "")


def _change(
    action: str, done: str, config: Path | None, as_json: bool, **arguments: str | float | None
) -> None:
    count = ask(config, f"queue {action}", **arguments)
    if as_json:
        print_json({"changed": count})
    else:
        click.echo(f"{count} {done}")


@queue.command()
@_selecting
def retry(config: Path | None, as_json: bool, **selection: str | None) -> None:
    """What waits for its next try is tried now, and a destination that is down is asked at once."""
    destination = selection["destination"]
    asked = f"; {destination} is asked at once" if destination else ""
    _change("retry", f"due now{asked}", config, as_json, **selection)


_all = click.option("--all", "everything", is_flag=True, help="Everything, without asking.")


def _be_sure(config: Path | None, everything: bool, selection: dict[str, str | None]) -> None:
    """Nobody at a terminal does this to all there is by leaving something out."""
    if everything or any(selection.values()) or not sys.stdin.isatty():
        return
    if count := ask(config, "queue count", **selection):
        text = f"Nothing is selected: this is for all {count} that wait or are held. Go on?"
        click.confirm(text, abort=True, err=True)


@queue.command()
@_selecting
@_all
def release(config: Path | None, as_json: bool, everything: bool, **selection: str | None) -> None:
    """What is held goes on: copies are processed again, deliveries are tried again."""
    _be_sure(config, everything, selection)
    _change("release", "released", config, as_json, **selection)


@queue.command()
@_selecting
def first(config: Path | None, as_json: bool, **selection: str | None) -> None:
    """What waits is sent before everything else."""
    _change("first", "moved to the front", config, as_json, **selection)


@queue.command()
@_selecting
@_all
@click.option("--why", default="held by an administrator", help="Kept with what is held.")
def hold(
    config: Path | None, as_json: bool, everything: bool, why: str, **selection: str | None
) -> None:
    """Keep what waits from being processed or sent until it is released."""
    _be_sure(config, everything, selection)
    _change("hold", "held", config, as_json, why=why, **selection)


@queue.command()
@config_option
@json_option
@click.option("--destination", help="Only what is for this destination.")
@click.option("--study", help="Only this Study Instance UID, received or outgoing.")
@click.option("--route", help="Only what this route made.")
@click.option("--held-because", help="Only what waits for a reason with this text in it.")
@click.option("--reason", required=True, help="Why it is given up; kept for ever in its trail.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(
    config: Path | None,
    as_json: bool,
    held_because: str | None,
    reason: str,
    yes: bool,
    **selection: str | None,
) -> None:
    """Give up what waits or is held: it will not be delivered. Says how many first."""
    chosen = {**selection, "reason": held_because}
    if not any(chosen.values()):
        fail("say what to discard: --destination, --study, --route or --held-because", 2)
    count = ask(config, "queue count", **chosen)
    if count and not yes and sys.stdin.isatty():
        click.confirm(f"{count} will never be delivered. Discard them?", abort=True, err=True)
    _change("discard", "discarded", config, as_json, why=reason, **chosen)


@queue.command()
@config_option
@json_option
@click.option("--destination", required=True, help="Where it waits or is held.")
@click.option("--to", required=True, help="The destination that gets it instead.")
@click.option("--study", help="Only this Study Instance UID, received or outgoing.")
@click.option("--route", help="Only what this route made.")
@click.option("--reason", help="Only what waits for a reason with this text in it.")
def move(config: Path | None, as_json: bool, to: str, **selection: str | None) -> None:
    """What waits or is held for one destination goes to another."""
    _change("move", f"moved to {to}", config, as_json, to=to, **selection)


@queue.command()
@config_option
@json_option
@click.option("--since", callback=ago, help="What came in the last 24h, 3d...")
@click.option("--destination", help="What was for this destination.")
@click.option("--study", help="This Study Instance UID, received or outgoing.")
@click.option("--route", help="What this route made; else what was for --to, or the first made.")
@click.option("--to", help="Who gets it, whatever they got before; else --destination.")
def resend(
    config: Path | None, as_json: bool, since: float | None, to: str | None, **selection: str | None
) -> None:
    """Send again what is still in the spool (spool.retain), delivered or not."""
    to = to or selection["destination"]
    if to is None:
        fail("say where to: --to, or --destination for what was for it", 2)
    if since is None and selection["study"] is None:
        fail("say what to send again: --since or --study", 2)
    _change("resend", f"sent again to {to}", config, as_json, to=to, since=since, **selection)


def _pausing(action: str, said: str) -> click.Command:
    @config_option
    @json_option
    @click.argument("destination")
    def command(config: Path | None, as_json: bool, destination: str) -> None:
        ask(config, action, destination=destination)
        if as_json:
            print_json({"destination": destination, "paused": action == "pause"})
        else:
            click.echo(f"{destination} {said}")

    return click.command(action)(command)


pause = _pausing("pause", "is paused, also after a restart, until it is resumed")
pause.help = "Send nothing to DESTINATION until it is resumed; what comes for it waits."
resume = _pausing("resume", "is sent to again")
resume.help = "End a pause."


@click.command()
@config_option
@json_option
@click.argument("uid", required=False)
@click.option("--accession", "accession_number", help="By Accession Number.")
@click.option("--patient-id", help="By Patient ID.")
def where(config: Path | None, as_json: bool, uid: str | None, **other: str | None) -> None:
    """The whole trail of an instance, series or study by its UID."""
    if sum(each is not None for each in (uid, *other.values())) != 1:
        fail("give exactly one of UID, --accession and --patient-id", 2)
    trail = ask(config, "where", uid=uid, **other)
    if as_json:
        print_json(trail)
    else:
        _print_trail(trail)
    raise SystemExit(0 if trail["instances"] else 1)


def _print_trail(trail: dict[str, Any]) -> None:
    for instance in trail["instances"]:
        say(*_trail(instance))
    for study in trail["studies"]:
        say(_of_study(study))
    for refusal in trail["refusals"]:
        say(
            f"{refusal['time']} refused to {refusal['calling_ae_title']} by "
            f"{refusal['listener']}: 0x{refusal['status']:04X} {refusal['reason']}"
        )
    if trail["truncated"]:
        click.echo("... and more")
    if not trail["instances"] and not trail["refusals"]:
        click.echo("not known here: never accepted, or longer ago than spool.history")


def _trail(instance: dict[str, Any]) -> list[str]:
    association = instance["association"]
    kept = "" if instance["kept"] else "; its file is gone"
    lines = [
        f"{instance['sop_instance_uid']} ({size(instance['size'])}){kept}",
        f"  {instance['received']} received from {association['calling_ae_title']} "
        f"({association['address']}) by {association['listener']}",
    ]
    if instance["state"] != "planned":
        lines.append(f"  {instance['state']}: {instance['reason']}")
    elif not instance["copies"]:
        lines.append("  for nobody: no route applied, or the retrieve it came for had it already")
    for copy in instance["copies"]:
        by = f" by {copy['plugin']} ({copy['hook']})" if copy["hook"] else ""
        why = f": {copy['reason']}" if copy["reason"] else ""
        lines.append(f"  route {copy['route']}: {copy['state']}{by}{why}")
        lines += [f"    {note}" for note in copy["notes"]]
    for delivery in instance["deliveries"]:
        why = f": {delivery['reason']}" if delivery["reason"] else ""
        note = f" ({delivery['note']})" if delivery["note"] else ""
        lines.append(f"  {delivery['destination']}{note}: {delivery['state']}{why}")
        lines += [f"    {_attempt(attempt)}" for attempt in delivery["attempts"]]
    return lines


def _of_study(study: dict[str, Any]) -> str:
    late = " (with what came late)" if study["late"] else ""
    begins = f"route {study['route']}: its study{late}"
    match study["state"]:
        case "gathering":
            return f"{begins} is complete when nothing more of it came until {study['due']}"
        case "complete":
            why = f" by {study['plugin']}: {study['reason']}" if study["reason"] else ""
            return f"{begins} is complete since {study['changed']}; to be told{why}"
        case "told":
            why = f"; given up: {study['reason']}" if study["reason"] else ""
            return f"{begins} was complete at {study['changed']}{why}"
        case _:
            return f"{begins}: nothing was processed by {study['changed']}"


def _attempt(attempt: dict[str, Any]) -> str:
    answered = "" if attempt["status"] is None else f" 0x{attempt['status']:04X}"
    comment = f" {attempt['comment']}" if attempt["comment"] else ""
    by = f" by {attempt['destination']}" if attempt["destination"] else ""
    return f"{attempt['time']} {attempt['outcome']}{by}{answered}{comment}"
