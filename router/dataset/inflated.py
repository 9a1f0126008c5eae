"""Data sets to be rewritten: a deflated one as what it holds, in a file."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from router.dataset.encoding import DEFLATED
from router.dataset.inflater import Inflater
from router.dataset.scan import Limits
from router.dataset.scanner import scan_segments
from router.dataset.segments import FileRange, Segment, read_segments
from router.dataset.workspace import new_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.dataset.scan import Bulk, Scan


def scan_inflated(
    segments: Sequence[Segment], transfer_syntax: str, bulk: Sequence[Bulk] | None, directory: Path
) -> tuple[tuple[Segment, ...], Scan]:
    """Scan a data set, with `bulk` as `scan_segments`, and say where the bytes scanned are.

    Those of a deflated one are a new file in `directory`, and its scan is of the transfer syntax
    they are in. One that cannot be inflated to its end stays as it is, and its scan has a problem.
    OSError where a file cannot be read or written.
    """
    if transfer_syntax in DEFLATED:
        with suppress(ValueError):
            inflated = (_inflate(segments, directory),)
            return inflated, scan_segments(inflated, DEFLATED[transfer_syntax])
    return tuple(segments), scan_segments(segments, transfer_syntax, bulk)


def _inflate(segments: Sequence[Segment], directory: Path) -> FileRange:
    """Without caps: who took it in has asked them. ValueError where it is not whole."""
    inflater = Inflater(Limits())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new_file(directory) as file:
        for data in read_segments(segments):
            file.writelines(inflater.feed(data))
        if fault := inflater.finish():
            raise ValueError(fault.reason)
        return FileRange(file.name, 0, file.tell())
