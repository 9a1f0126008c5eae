"""Deliveries transcoded: pixels decoded and encoded frame by frame, all else as it was."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from pydicom.uid import UID, ExplicitVRLittleEndian

from router.dataset import (
    BulkValue,
    FileRange,
    open_dataset,
    scan_inflated,
    scan_segments,
    to_explicit,
    to_implicit,
)
from router.dataset import segments as splice
from router.dataset.encoding import PIXEL_DATA, is_encapsulated
from router.dataset.pixels import PixelError, pixel_element, read_frames, write_native
from router.dataset.segments import cut
from router.delivery.encapsulating import Unfit, write_encapsulated
from router.delivery.transcoding import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from router.spool.records import HeldCopy, Processed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from router.dataset import Scan, Segment
    from router.spool import DeliveryTask
    from router.spool.records import CopyOutcome

_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_ALWAYS_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")  # JPEG Baseline, Extended
_LONGEST_VALUE = 0xFFFFFFFE
# Seconds one delivery may take; JPEG 2000, the slowest, does about 10 MiB in one.
_SECONDS, _SECONDS_PER_MIB, _MOST_SECONDS = 300.0, 1.0, 3600.0
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_SPACE_MAY_COME = 60.0  # seconds


def transcode(
    task: DeliveryTask,
    targets: tuple[str, ...],
    workspace: Path,
    allow: Callable[[float], None],
) -> CopyOutcome:
    """The delivery in the first of the target transfer syntaxes that can hold it, its own among
    them as it is. New pixels are a file in `workspace`.
    """
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        return _in_one_of(_Object(task, workspace), targets, allow)
    except PixelError as error:
        return HeldCopy(str(error), "", "")
    except OSError as error:
        why = error.strerror or type(error).__name__
        retry_after = _SPACE_MAY_COME if error.errno in _NO_SPACE else None
        return HeldCopy(why, "", "", retry_after)


def _in_one_of(
    came: _Object, targets: tuple[str, ...], allow: Callable[[float], None]
) -> Processed:
    allow(min(_SECONDS + came.native_length / (1 << 20) * _SECONDS_PER_MIB, _MOST_SECONDS))
    unfit = Unfit("there is no other form")
    for target in targets:
        if target == came.task.transfer_syntax:
            return came.processed(None, target, came.task.sop_instance_uid)
        try:
            return came.become(target)
        except Unfit as error:
            unfit = error
    raise unfit


class _Object:
    """What is to be transcoded. PixelError where it is not understood."""

    def __init__(self, task: DeliveryTask, workspace: Path) -> None:
        self.task = task
        self._workspace = workspace
        self._segments, self._scan = scan_inflated(
            task.segments, task.transfer_syntax, task.bulk, workspace
        )
        self.transfer_syntax = UID(self._scan.transfer_syntax)
        if self._scan.problem:
            raise PixelError("its data set cannot be walked to its end")
        self._dataset = open_dataset(self._scan)

    @property
    def native_length(self) -> int:
        """Bytes of its pixels when they are not compressed; 0 where it does not describe them."""
        bits = int(self._dataset.get("NumberOfFrames") or 1)
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
            bits *= int(self._dataset.get(keyword) or 0)
        return (bits + 7) // 8

    @property
    def _has_pixels(self) -> bool:
        try:
            pixel_element(self._dataset)
        except PixelError:
            return False
        return True

    def become(self, target: str) -> Processed:
        """In the target transfer syntax. Raises Unfit where that has no place for it."""
        if target == self.transfer_syntax:  # which it is in since it was inflated
            return self.processed(self._segments, target, self.task.sop_instance_uid)
        segments, scan = self._explicit()
        leaving = open_dataset(scan)
        self._write_pixels(leaving, UID(target))
        self._write_icons(leaving)
        if self.transfer_syntax in _ALWAYS_LOSSY and not leaving.get("LossyImageCompression"):
            leaving.LossyImageCompression = "01"  # what only the transfer syntax has said so far
        try:
            made = splice(leaving, scan, segments)
        except ValueError as error:
            raise PixelError(str(error)) from None
        if target == IMPLICIT_LITTLE_ENDIAN:
            made = to_implicit(scan_segments(made, EXPLICIT_LITTLE_ENDIAN), made)
        return self.processed(tuple(made), target, str(leaving.get("SOPInstanceUID") or ""))

    def processed(
        self, segments: tuple[Segment, ...] | None, target: str, sop_instance_uid: str
    ) -> Processed:
        """The outcome: `segments` None for what was not changed."""
        return Processed(
            segments=segments,
            transfer_syntax=target,
            sop_class_uid=self.task.sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            study_instance_uid=self.task.study_instance_uid,
            series_instance_uid=self.task.series_instance_uid,
            destinations=(self.task.destination,),
        )

    def _explicit(self) -> tuple[list[Segment], Scan]:
        """The data set in Explicit VR Little Endian, but for its pixels."""
        segments = list(self._segments)
        if self.transfer_syntax not in (IMPLICIT_LITTLE_ENDIAN, _BIG_ENDIAN):
            return segments, self._scan
        segments = to_explicit(self._scan, segments)
        return segments, scan_segments(segments, EXPLICIT_LITTLE_ENDIAN)

    def _write_pixels(self, leaving: Dataset, target: UID) -> None:
        came = self.transfer_syntax
        if not self._has_pixels:
            if is_encapsulated(target):
                raise Unfit("it has no pixels")
            if "PixelDataProviderURL" in leaving:  # PS3.5 A.6: only in JPIP transfer syntaxes
                raise Unfit("its pixels are to be asked for elsewhere")
            return
        if not (is_encapsulated(came) or is_encapsulated(target) or came == _BIG_ENDIAN):
            return
        element = pixel_element(leaving)
        frames = read_frames(self._dataset, came, self._located)
        with self._new_file() as file:
            if is_encapsulated(target):
                start = write_encapsulated(leaving, frames, target, file)
            elif self.native_length > _LONGEST_VALUE:
                raise Unfit("uncompressed it would be longer than 4 GiB")
            else:
                start = 0
                write_native(leaving, frames, ExplicitVRLittleEndian, file)
            made = FileRange(file.name, start, file.tell() - start)
        element.value = BulkValue(made, is_encapsulated(target))

    def _write_icons(self, leaving: Dataset) -> None:
        """Icons that are compressed as the pixels were leave native (PS3.5 A.4)."""
        for icon in leaving.get("IconImageSequence") or ():
            element = icon.get(PIXEL_DATA)
            if element is None or not getattr(element.value, "encapsulated", False):
                continue
            with self._new_file() as file:
                frames = read_frames(icon, self.transfer_syntax, self._located)
                write_native(icon, frames, ExplicitVRLittleEndian, file)
                element.value = BulkValue(FileRange(file.name, 0, file.tell()))

    def _located(self, value: bytes) -> list[Segment]:
        if not isinstance(value, BulkValue):
            return [value]
        if isinstance(value.reference, FileRange):
            return [value.reference]
        return cut(self._segments, value.reference.offset, value.reference.length)

    @contextmanager
    def _new_file(self) -> Iterator[IO[bytes]]:
        """A file for what is made, not synced: what a crash loses is made again."""
        with NamedTemporaryFile(dir=self._workspace, suffix=".bulk", delete=False) as file:
            try:
                yield file
            except BaseException:
                os.unlink(file.name)
                raise
