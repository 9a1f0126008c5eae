"""Commands that talk to a peer: echo and send. A peer is AE@HOST:PORT or a destination's name."""

from __future__ import annotations

from pathlib import Path

import click

from router.config import DicomDestination
from router.delivery.dicom import peer_of
from router.operate import scu
from router.operate.cli_common import config_option, fail, json_option, print_json, settings
from router.operate.cli_progress import progress_bar
from router.operate.terminal import say
from router.query import upstream
from router.wire import Peer, WireError

_PATIENCE = 300.0  # seconds a peer may take to answer

calling_option = click.option(
    "--calling-ae-title", default="ROUTER", show_default=True, help="Who we say we are."
)


@click.command()
@click.argument("peer")
@calling_option
@config_option
@json_option
def echo(peer: str, calling_ae_title: str, config: Path | None, as_json: bool) -> None:
    """C-ECHO: does PEER (AE@HOST:PORT or a destination's name) answer?"""
    target = resolve(peer, calling_ae_title, config)
    try:
        response = scu.echo(target)
    except WireError as error:
        fail(f"{peer}: {error}")
    if as_json:
        print_json({"peer": peer, "status": response.status, "comment": response.error_comment})
    else:
        click.echo(f"{peer} answers C-ECHO with 0x{response.status:04X}")
    raise SystemExit(1 if response.status else 0)


@click.command()
@click.argument("peer")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@calling_option
@config_option
@json_option
def send(
    peer: str, files: tuple[Path, ...], calling_ae_title: str, config: Path | None, as_json: bool
) -> None:
    """C-STORE FILES, or all below a folder, to PEER as they are."""
    target = resolve(peer, calling_ae_title, config)
    found, others = scu.find_files(files)
    results = list(others)
    with progress_bar(as_json) as progress:
        task = progress.add_task(f"to {peer}", total=len(found))

        def told(sent: scu.Sent) -> None:
            results.append(sent)
            progress.advance(task)

        try:
            count = scu.send(target, found, told)
        except WireError as error:
            progress.stop()
            fail(f"{peer}: {error}; {len(results) - len(others)} of {len(found)} sent")
    _say(results, count, as_json)
    raise SystemExit(1 if count["failed"] or others or not found else 0)


def resolve(peer: str, calling_ae_title: str, config: Path | None) -> Peer:
    """The peer a command was given; a destination is looked up only when it is no AE@HOST:PORT."""
    try:
        return scu.parse_peer(peer, calling_ae_title)
    except scu.NotAPeer as error:
        wrong = str(error)
    destinations = settings(config).destinations
    meant = destinations.get(peer)
    if not isinstance(meant, DicomDestination):
        fail(f"{wrong}; the destinations are: {', '.join(destinations) or 'none'}", 2)
    return peer_of(meant, calling_ae_title)


def resolve_query(peer: str, calling_ae_title: str, config: Path | None) -> Peer:
    """As `resolve`, of a destination its query and retrieve service."""
    try:
        return scu.parse_peer(peer, calling_ae_title)
    except scu.NotAPeer:
        meant = settings(config).destinations.get(peer)
    if isinstance(meant, DicomDestination):
        return upstream(peer, meant, calling_ae_title, _PATIENCE).peer
    return resolve(peer, calling_ae_title, config)


def _say(results: list[scu.Sent], count: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json({**count, "files": [_plain(sent) for sent in results]})
        return
    for sent in results:
        if sent.error:
            comment = f" ({sent.comment})" if sent.comment else ""
            say(f"{sent.path}: {sent.error}{comment}", err=True)
    said = ", ".join(f"{number} {outcome}" for outcome, number in count.items() if number)
    click.echo(said or "nothing to send")


def _plain(sent: scu.Sent) -> dict[str, object]:
    return {
        "path": str(sent.path),
        "status": sent.status,
        "comment": sent.comment,
        "error": sent.error,
    }
