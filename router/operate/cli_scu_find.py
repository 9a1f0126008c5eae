"""The command `find`: C-FIND with keys on the command line."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal

import click

from router.operate import scu_output
from router.operate.cli_common import config_option, fail, json_option
from router.operate.cli_scu import calling_option, resolve_query
from router.operate.terminal import visible
from router.query import client
from router.wire import WireError

if TYPE_CHECKING:
    from pathlib import Path

    from router.dataset import Attributes
    from router.wire import Peer

Level = Literal["patient", "study", "series", "image", "worklist"]

# What people want to see, besides the keys they name.
_USUAL = {
    "patient": ["PatientID", "PatientName", "PatientBirthDate", "PatientSex"],
    "study": [
        *("PatientID", "PatientName", "StudyDate", "StudyTime", "AccessionNumber"),
        *("ModalitiesInStudy", "StudyDescription", "NumberOfStudyRelatedInstances"),
        "StudyInstanceUID",
    ],
    "series": [
        *("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances"),
        *("StudyInstanceUID", "SeriesInstanceUID"),
    ],
    "image": [
        *("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"),
        "StudyInstanceUID",
    ],
    "worklist": [
        *("PatientID", "PatientName", "AccessionNumber", "RequestedProcedureID"),
        "StudyInstanceUID",
        *(
            f"ScheduledProcedureStepSequence.{name}"
            for name in (
                *("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"),
                *("ScheduledProcedureStepStartTime", "ScheduledProcedureStepDescription"),
                "ScheduledProcedureStepID",
            )
        ),
    ],
}
_NOT_SHOWN = ("00080005", "00080052", "00080054")

keys_option = click.option(
    "-k", "--key", "texts", multiple=True, metavar="ELEMENT[=VALUE]",
    help="As PatientID=1*, 0010,0020=17, StudyDate=20240101-, "
    "ScheduledProcedureStepSequence[0].Modality=CT; without =VALUE to be returned.",
)  # fmt: skip


@click.command()
@click.argument("peer")
@keys_option
@click.option(
    "--level", type=click.Choice([*_USUAL]), default="study", show_default=True,
    help="What is looked for; worklist: scheduled procedure steps.",
)  # fmt: skip
@click.option(
    "--model", type=click.Choice(["patient", "study"]),
    help="The root of the information model: study, but for --level patient.",
)  # fmt: skip
@click.option("--only", is_flag=True, help="Ask for these keys, without what is usual as well.")
@click.option("--limit", type=click.IntRange(1), help="Cancel the query after so many matches.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@calling_option
@config_option
@json_option
def find(
    peer: str,
    texts: tuple[str, ...],
    level: Level,
    model: Literal["patient", "study"] | None,
    only: bool,
    limit: int | None,
    as_csv: bool,
    calling_ae_title: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """C-FIND: what does PEER (AE@HOST:PORT or a destination's name) have?

    Exit code 1 where it could not be asked or says that it failed.
    """
    keys = keys_of(texts, level, [] if only else _USUAL[level])
    root: client.Model = model or "study"
    if level in ("patient", "worklist"):
        root = level
    target = resolve_query(peer, calling_ae_title, config)
    matches, trouble = _found(target, client.sop_class(root, "find"), keys, limit)
    columns = [each for each in scu_output.columns_of(keys) if each[0] not in _NOT_SHOWN]
    if as_json:
        scu_output.print_matches(matches)
    elif as_csv:
        scu_output.print_csv(columns, matches)
    else:
        scu_output.print_table(columns, matches)
        click.echo(f"{len(matches)} found", err=True)
    if trouble:
        fail(visible(f"{peer}: {trouble}"))


def keys_of(texts: tuple[str, ...], level: Level, usual: list[str]) -> Attributes:
    """The Identifier's elements; what is wrong in a key ends the command with 2."""
    keys: Attributes = {}
    try:
        for name in usual:
            client.add_key(keys, name)
        for text in texts:
            client.add_key(keys, text)
    except ValueError as error:
        fail(f"-k: {error}", 2)
    if level != "worklist":
        keys["00080052"] = ("CS", [level.upper()])
    return keys


def _found(
    peer: Peer, sop_class_uid: str, keys: Attributes, limit: int | None
) -> tuple[list[Attributes], str]:
    """The matches, and what is wrong with them, if anything."""
    matches: list[Attributes] = []
    try:
        with client.asked(peer, sop_class_uid, keys) as asked:
            for match in islice(asked.matches(), limit):
                matches.append(match)
            if asked.final is None:
                asked.cancel()
            final = asked.final
    except WireError as error:
        return matches, str(error)
    except ValueError as error:
        return matches, f"a match cannot be read: {error}"
    if limit is not None and len(matches) == limit:
        return matches, ""
    if final is None or final.status:
        status = f"0x{final.status:04X}" if final else "no answer to C-CANCEL"
        comment = f" ({final.error_comment})" if final and final.error_comment else ""
        return matches, f"C-FIND failed with {status}{comment}"
    return matches, ""
