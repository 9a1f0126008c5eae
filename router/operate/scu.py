"""The commands' own C-ECHO and C-STORE client: which peer, which files, what came of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.dataset import FileRange, Part10, open_part10
from router.status import Verdict, classify
from router.wire import Peer, Response, WireError, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from router.wire import OutgoingAssociation

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255


class NotAPeer(ValueError):
    """The text is neither AE@HOST:PORT nor the name of a destination."""


def parse_peer(text: str, calling_ae_title: str) -> Peer:
    """`AE@HOST:PORT`, the host an IPv6 address in brackets where it is one."""
    match = re.fullmatch(r"(.{1,16})@(\[[0-9a-fA-F:]+\]|[^@:\[\]]+):(\d{1,5})", text)
    if not match:
        raise NotAPeer(f"{text!r} is neither AE@HOST:PORT nor the name of a destination")
    called_ae_title, host, port = match.groups()
    return Peer(host.strip("[]"), int(port), called_ae_title, calling_ae_title)


def echo(peer: Peer) -> Response:
    """One C-ECHO; raises WireError where there is no association."""
    association = connect(peer, [(VERIFICATION, [IMPLICIT_LITTLE_ENDIAN])])
    try:
        return association.echo()
    finally:
        association.release()


@dataclass(frozen=True)
class Found:
    """A DICOM file that can be sent."""

    path: Path
    part10: Part10


@dataclass(frozen=True)
class Sent:
    """What came of one file: `error` is the reason where it was not stored."""

    path: Path
    status: int | None
    comment: str
    error: str | None


def find_files(paths: Iterable[Path]) -> tuple[list[Found], list[Sent]]:
    """Every DICOM file among `paths` and below the folders among them, and what is none."""
    found: list[Found] = []
    others: list[Sent] = []
    for path in walk(paths):
        try:
            found.append(Found(path, open_part10(path)))
        except ValueError as error:
            why = str(error).removeprefix(str(path)).lstrip(": ")
            others.append(Sent(path, None, "", f"not sent: {why}"))
        except OSError as error:
            others.append(Sent(path, None, "", f"not sent: {error.strerror}"))
    return found, others


def walk(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths`, and those below the folders among them."""
    for path in paths:
        if path.is_dir():
            yield from sorted(entry for entry in path.rglob("*") if entry.is_file())
        else:
            yield path


def send(peer: Peer, files: list[Found], told: Callable[[Sent], None]) -> Counter[str]:
    """C-STORE every file in the transfer syntax it has; `told` of each as it is done.

    Returns how many were stored, stored with a warning and failed. Raises WireError when the peer
    cannot be reached at all; an association lost on the way is opened again once.
    """
    count: Counter[str] = Counter()
    for batch in _batches(files):
        waiting = list(batch)
        for last_try in (False, True):
            try:
                _send_batch(peer, waiting, told, count)
                break
            except WireError:
                if last_try:
                    raise
    return count


def _batches(files: list[Found]) -> Iterator[list[Found]]:
    """Split where one association could not propose a context for each kind of object."""
    batch: list[Found] = []
    kinds: set[tuple[str, str]] = set()
    for file in files:
        kind = (file.part10.sop_class_uid, file.part10.transfer_syntax)
        if kind not in kinds and len(kinds) == _MOST_CONTEXTS:
            yield batch
            batch, kinds = [], set()
        kinds.add(kind)
        batch.append(file)
    if batch:
        yield batch


def _send_batch(
    peer: Peer, waiting: list[Found], told: Callable[[Sent], None], count: Counter[str]
) -> None:
    kinds = dict.fromkeys((f.part10.sop_class_uid, f.part10.transfer_syntax) for f in waiting)
    association = connect(peer, [(sop_class, [syntax]) for sop_class, syntax in kinds])
    try:
        while waiting:
            sent = _store(association, waiting[0])
            del waiting[0]
            count[_outcome(sent)] += 1
            told(sent)
    except WireError:
        association.abort()
        raise
    association.release()


def _store(association: OutgoingAssociation, file: Found) -> Sent:
    part10 = file.part10
    context = association.context_for(part10.sop_class_uid, part10.transfer_syntax)
    if context is None:
        return Sent(file.path, None, "", "the peer takes no such object in its transfer syntax")
    data = FileRange(str(file.path), part10.dataset_offset, part10.length)
    response = association.store(context, part10.sop_class_uid, part10.sop_instance_uid, [data])
    failed = classify(response.status) in (Verdict.OBJECT_REFUSED, Verdict.DESTINATION_FAILED)
    error = f"refused with 0x{response.status:04X}" if failed else None
    return Sent(file.path, response.status, response.error_comment, error)


def _outcome(sent: Sent) -> str:
    if sent.error:
        return "failed"
    return "stored with a warning" if sent.status else "stored"
