"""The commands `move` and `get`: C-MOVE to somebody or to ourselves, C-GET into a folder."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from router.operate.cli_common import config_option, fail, json_option, print_json
from router.operate.cli_progress import progress_bar
from router.operate.cli_scu import calling_option, resolve_query
from router.operate.cli_scu_find import keys_of, keys_option
from router.operate.scu_receiving import Inbox, Receiver
from router.operate.terminal import say
from router.query import client
from router.wire import QueryResponse, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.dataset import Attributes
    from router.wire import Peer, SubOperations

Level = Literal["patient", "study", "series", "image"]

_LATE = 5.0  # seconds for what peers still send after their last response
_UNIQUE = {
    "patient": ("00100020", "PatientID"),
    "study": ("0020000D", "StudyInstanceUID"),
    "series": ("0020000E", "SeriesInstanceUID"),
    "image": ("00080018", "SOPInstanceUID"),
}
_level = click.option(
    "--level", type=click.Choice([*_UNIQUE]), default="study", show_default=True,
    help="What is retrieved; its unique key is needed.",
)  # fmt: skip
_model = click.option(
    "--model", type=click.Choice(["patient", "study"]),
    help="The root of the information model: study, but for --level patient.",
)  # fmt: skip


@click.command()
@click.argument("peer")
@keys_option
@_level
@_model
@click.option("--to", metavar="AE", help="The move destination: an AE title that PEER knows.")
@click.option(
    "--receive", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Be the move destination, and write what comes into DIR.",
)  # fmt: skip
@click.option("--port", default=11113, show_default=True, help="With --receive: where we listen.")
@click.option("--bind", default="0.0.0.0", show_default=True, help="With --receive: on what.")
@calling_option
@config_option
@json_option
def move(
    peer: str,
    texts: tuple[str, ...],
    level: Level,
    model: Literal["patient", "study"] | None,
    to: str | None,
    receive: Path | None,
    port: int,
    bind: str,
    calling_ae_title: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """C-MOVE: have PEER send what the keys name to --to, or here with --receive.

    With --receive we are --to, or --calling-ae-title without; PEER has to know that AE title with
    this host and port.
    """
    if to is None and receive is None:
        fail("say where it goes: --to AE, or --receive DIR", 2)
    title = to or calling_ae_title
    keys = _keys(texts, level)
    sop_class_uid = client.sop_class(
        model or ("patient" if level == "patient" else "study"), "move"
    )
    target = resolve_query(peer, calling_ae_title, config)
    inbox = _inbox(receive) if receive is not None else None
    with ExitStack() as stack:
        if inbox is not None:
            try:
                stack.enter_context(Receiver(inbox, title, bind, port))
            except OSError as error:
                fail(f"cannot listen on {bind} port {port}: {error.strerror}")
        final = _retrieved(target, sop_class_uid, keys, peer, as_json, move_destination=title)
        if inbox is not None:
            _await(inbox, final.counts)
    _end(peer, "C-MOVE", final, inbox, as_json)


@click.command()
@click.argument("peer")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@keys_option
@_level
@_model
@calling_option
@config_option
@json_option
def get(
    peer: str,
    directory: Path,
    texts: tuple[str, ...],
    level: Level,
    model: Literal["patient", "study"] | None,
    calling_ae_title: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """C-GET: have PEER send what the keys name on our own association, into DIRECTORY."""
    keys = _keys(texts, level)
    sop_class_uid = client.sop_class(model or ("patient" if level == "patient" else "study"), "get")
    target = resolve_query(peer, calling_ae_title, config)
    inbox = _inbox(directory)
    final = _retrieved(target, sop_class_uid, keys, peer, as_json, inbox=inbox)
    _end(peer, "C-GET", final, inbox, as_json)


def _keys(texts: tuple[str, ...], level: Level) -> Attributes:
    keys = keys_of(texts, level, [])
    tag, keyword = _UNIQUE[level]
    if not keys.get(tag, ("", []))[1]:
        fail(f"--level {level} needs its unique key: -k {keyword}=...", 2)
    return keys


def _inbox(directory: Path) -> Inbox:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{directory}: {error.strerror}")
    return Inbox(directory)


def _retrieved(
    peer: Peer,
    sop_class_uid: str,
    keys: Attributes,
    name: str,
    quiet: bool,
    *,
    move_destination: str = "",
    inbox: Inbox | None = None,
) -> QueryResponse:
    """The last response; what prevents one ends the command with 1."""
    store = inbox.store if inbox is not None else None
    with progress_bar(quiet) as progress:
        task = progress.add_task(f"from {name}", total=None)
        try:
            with client.asked(
                peer, sop_class_uid, keys, move_destination=move_destination, store=store
            ) as asked:
                for response in asked.responses():
                    _show(response.counts, lambda **now: progress.update(task, **now))
                final = asked.final
        except WireError as error:
            progress.stop()
            fail(f"{name}: {error}")
        assert final is not None
        _show(final.counts, lambda **now: progress.update(task, **now))
    return final


def _show(counts: SubOperations | None, update: Callable[..., None]) -> None:
    if counts is not None:
        update(completed=counts.total - (counts.remaining or 0), total=counts.total)


def _await(inbox: Inbox, counts: SubOperations | None) -> None:
    """Some say that they are done, and send then."""
    expected = counts.completed + counts.warning if counts is not None else 0
    until = time.monotonic() + _LATE
    while inbox.received + inbox.failed < expected and time.monotonic() < until:
        time.sleep(0.05)


def _end(peer: str, service: str, final: QueryResponse, inbox: Inbox | None, as_json: bool) -> None:
    counts = final.counts
    numbers = {
        "completed": counts.completed if counts else 0,
        "failed": counts.failed if counts else 0,
        "warning": counts.warning if counts else 0,
    }
    if inbox is not None:
        numbers["received"] = inbox.received
    if as_json:
        said = {"peer": peer, "status": final.status, "comment": final.error_comment}
        print_json({**said, **numbers})
    else:
        words = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
        if not words and not final.status:
            words = "nothing to send"
        click.echo(f"{service} ended with 0x{final.status:04X}{words and f': {words}'}")
        if final.error_comment:
            say(f"{peer}: {final.error_comment}", err=True)
    is_good = not final.status and not numbers["failed"] and not (inbox and inbox.failed)
    raise SystemExit(0 if is_good else 1)
