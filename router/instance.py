"""The vocabulary: what a plugin is given and what it gives back."""

from __future__ import annotations

import io
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from pydicom.uid import UID

from router import status
from router.dataset import (
    DEFLATED,
    BulkValue,
    FileRange,
    SegmentReader,
    encode_file_meta,
    first,
    open_dataset,
    parse_path,
    replace_value,
    scan_segments,
    total_length,
)
from router.dataset import segments as splice
from router.dataset.encoding import is_encapsulated
from router.dataset.segments import CHUNK, cut
from router.dataset.workspace import new_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from logging import Logger
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from router.dataset import Bulk, Scan, Segment
    from router.dataset.pixels import Change


@dataclass(frozen=True)
class Source:
    """Where the bytes of a copy are, and how they read."""

    segments: tuple[Segment, ...]
    scan: Scan

    def bulk(self, reference: Bulk) -> list[Segment]:
        """Where the bytes of a bulk value are; raises `Hold` where they are deflated."""
        if self.scan.transfer_syntax in DEFLATED:
            raise Hold("it came deflated, and its bulk values can be read in a route's chain only")
        return cut(self.segments, reference.offset, reference.length)


@dataclass(frozen=True)
class Association:
    """Who sent, as the association said it; stored with every instance it brought."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    listener: str
    peer: str | None
    tls_subject: str | None
    user: str | None
    started: datetime


@dataclass(frozen=True)
class Skip:
    """This route does not want the instance: recorded, not delivered."""

    reason: str


@dataclass(frozen=True)
class Refusal:
    """The sender is told no: `status` is a DIMSE status, `reason` its Error Comment."""

    reason: str
    status: int = status.REFUSED_NOT_AUTHORISED


class Hold(Exception):  # noqa: N818 - a decision, not an error
    """Stop this copy and keep it for a person (or for `retry_after` seconds).

    `reason` is shown in logs and `status`: it must not name the patient. Of any other exception
    only its type, file and line are ever shown.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Unavailable(Exception):  # noqa: N818
    """A `Sender` cannot reach its destination: everything for it waits and is tried again."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Rejected(Exception):  # noqa: N818
    """A `Sender`'s destination will not have this object: a few more tries, then held."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Context:
    """A plugin's own place: its name, a durable directory nobody else writes to, its logger."""

    name: str
    directory: Path
    log: Logger


@dataclass(frozen=True)
class Destination:
    """What a hook may know of the destination it works for."""

    name: str
    type: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """How one delivery ended: `outcome` in our words, `status` the peer's where it gave one."""

    destination: str
    route: str
    sop_instance_uid: str
    study_instance_uid: str
    outcome: Literal["delivered", "held", "discarded"]
    status: int | None
    comment: str
    attempts: int


@dataclass(frozen=True)
class Study:
    """What a route has of a study that has gone quiet; `late` when it had been complete before."""

    study_instance_uid: str
    original_study_instance_uid: str
    route: str
    instances: Iterable[Instance]
    late: bool


@dataclass
class Query:
    """A C-FIND, C-MOVE or C-GET request on its way to the upstreams."""

    service: Literal["find", "move", "get", "worklist"]
    level: str
    identifier: Dataset
    association: Association
    move_destination: str | None


class Sender(Protocol):
    """A destination type's own way out, made by `open_destination`; used by one thread."""

    def send(self, instance: Instance) -> str:
        """Return, once the instance is safe there, what the trail shall say.

        Raises `Unavailable` where everything has to wait, `Rejected` where only this object does.
        """

    def close(self) -> None: ...


class Instance:
    """One route's own copy of a SOP instance; used by one thread at a time."""

    def __init__(
        self,
        source: Source,
        *,
        association: Association,
        route: str,
        received: datetime,
        workspace: Path | None = None,
        original: Source | None = None,
        notes: dict[str, Any] | None = None,
    ) -> None:
        """`source` is where the copy begins, `original` what was received if that is another.

        New bulk values become files in `workspace`; without one pixels and bulk cannot be changed.
        """
        self.association = association
        self.route = route
        self.received = received
        self.transfer_syntax = UID(source.scan.transfer_syntax)
        self.notes: dict[str, Any] = {} if notes is None else notes
        self._source = source
        self._original = original or source
        self._workspace = workspace
        self._dataset: Dataset | None = None
        self._sealed: Source | None = None

    @property
    def dataset(self) -> Dataset:
        """The elements as pydicom's, with `BulkValue`s for bulk; changes count in rewrite hooks.

        Raises `Hold` for a data set that cannot be walked to its end: it is never rewritten.
        """
        if self._dataset is None:
            self._dataset = _opened(self._sealed or self._source)
        return self._dataset

    @property
    def original(self) -> Dataset:
        """The elements as received: each time a fresh one, so that changes to it go nowhere."""
        return _opened(self._original)

    @property
    def size(self) -> int:
        """Bytes of the data set as it leaves."""
        return total_length(self.segments)

    def frames(self) -> Iterator[NDArray[Any]]:
        """Each frame as stored, decoded when its turn comes: rows by columns (by samples)."""
        from router.dataset import pixels

        with _held(pixels.PixelError):
            for frame, _ in pixels.read_frames(self.dataset, self.transfer_syntax, self._located):
                yield frame

    def map_frames(self, change: Callable[[int, NDArray[Any]], NDArray[Any]]) -> None:
        """Put `change(index, frame)` in the place of each frame; shape and type stay.

        Compressed pixels leave uncompressed, in Explicit VR Little Endian.
        """
        self._map_frames(lambda index, frame, _: change(index, frame))

    def blank(self, rectangles: Iterable[tuple[int, int, int, int]]) -> None:
        """Make every frame black within rectangles of x, y, width, height in pixels."""
        from router.dataset import pixels

        self._map_frames(pixels.blanking(rectangles))

    def replace_bulk(self, path: str, source: Path | bytes) -> None:
        """Give the element at `path` the bytes of a file, which is copied, or these bytes.

        `path` is as in rules and leads to one place. Pixels of a compressed transfer syntax are
        given encapsulated: offset table and fragments (PS3.5 A.4). Raises `Hold` otherwise.
        """
        with _held(ValueError), new_file(self._writable()) as file:
            if isinstance(source, bytes):
                file.write(source)
            else:
                with open(source, "rb") as given:
                    shutil.copyfileobj(given, file, CHUNK)
            replace_value(self.dataset, path, file, is_encapsulated(self.transfer_syntax))

    def open(self) -> BinaryIO:
        """The instance as it leaves, as a DICOM file (PS3.10)."""
        meta = encode_file_meta(
            self.sop_class_uid,
            self.sop_instance_uid,
            self.transfer_syntax,
            source_ae=self.association.calling_ae_title,
        )
        return io.BufferedReader(SegmentReader([meta, *self.segments]), CHUNK)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The data set as it leaves; raises `Hold` where a change cannot be written."""
        if self._sealed is not None:
            return self._sealed.segments
        if self._dataset is None:
            return self._source.segments
        with _held(ValueError):
            return tuple(splice(self._dataset, self._source.scan, self._source.segments))

    @property
    def changed(self) -> bool:
        return self.segments != self._source.segments

    def seal(self) -> None:
        """Fix what leaves: from here on `dataset` is read from that, and changes go nowhere.

        Called again, it gives the next hook a `dataset` the last one has not changed.
        """
        if self._sealed is None:
            leaving, scan = self.segments, self._source.scan
            if leaving != self._source.segments:
                scan = scan_segments(leaving, self.transfer_syntax).assuming(
                    scan.assume_character_set
                )
                if scan.problem is not None:
                    raise Hold(f"what would leave cannot be walked: {scan.problem.reason}")
            self._sealed = Source(leaving, scan)
        self._dataset = None

    @property
    def sop_class_uid(self) -> str:
        return self._uid("SOPClassUID")

    @property
    def sop_instance_uid(self) -> str:
        return self._uid("SOPInstanceUID")

    @property
    def study_instance_uid(self) -> str:
        return self._uid("StudyInstanceUID")

    @property
    def series_instance_uid(self) -> str:
        return self._uid("SeriesInstanceUID")

    def _uid(self, keyword: str) -> str:
        """A UID as it leaves, "" where there is none."""
        if self._sealed is None and self._dataset is not None:
            return str(self._dataset.get(keyword) or "")
        return first((self._sealed or self._source).scan, parse_path(keyword))

    def _map_frames(self, change: Change) -> None:
        from router.dataset import pixels

        with _held(pixels.PixelError):
            element = pixels.pixel_element(self.dataset)
            with new_file(self._writable()) as file:
                native = pixels.map_frames(
                    self.dataset, self.transfer_syntax, self._located, change, file
                )
                made = FileRange(file.name, 0, file.tell())
        element.value = BulkValue(made)
        self.transfer_syntax = native

    def _located(self, value: bytes) -> list[Segment]:
        """Where the bytes of a value of `dataset` are."""
        if not isinstance(value, BulkValue):
            return [value]
        if isinstance(value.reference, FileRange):
            return [value.reference]
        return (self._sealed or self._source).bulk(value.reference)

    def _writable(self) -> Path:
        if self._sealed is not None or self._workspace is None:
            raise Hold("pixels and bulk values cannot be changed here: do it in rewrite_instance")
        self._workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._workspace


def _opened(source: Source) -> Dataset:
    with _held(ValueError):
        return open_dataset(source.scan)


@contextmanager
def _held(mistake: type[ValueError]) -> Iterator[None]:
    """Mistakes of ours, whose text never has patient data, hold the copy."""
    try:
        yield
    except mistake as error:
        raise Hold(str(error)) from None
