"""A destination of type folder: Part 10 files below a directory, each whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from router.dataset import encode_file_meta, open_part10, read_segments, scan_segments
from router.delivery.outgoing import instance_of
from router.files import write_durably
from router.instance import Hold, Rejected, Unavailable
from router.spool import SpoolError, entry_of
from router.template import PathTemplate

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import FolderDestination
    from router.delivery.outgoing import Hooks
    from router.spool import DeliveryTask, Entry, LocalIndex

# Two lanes may have different instances for one path: looking and writing is one step.
_WRITING = [threading.Lock() for _ in range(64)]
_OF_THIS_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


class FolderSender:
    """Writes each instance where the path template says; a newer version replaces an older."""

    def __init__(
        self, settings: FolderDestination, hooks: Hooks, index: LocalIndex | None = None
    ) -> None:
        self._hooks = hooks
        self._index = index
        self._directory = settings.directory
        self._template = PathTemplate(settings.path)

    def send(self, task: DeliveryTask) -> str:
        """Returns once a crash keeps the file; raises Hold, Rejected, Unavailable."""
        path = self._directory / self._template.render(instance_of(task, self._hooks))
        entry = self._entry(path, task)
        try:
            with _WRITING[hash(path) % len(_WRITING)]:
                self._keep_others(path, task.sop_instance_uid)
                write_durably(path, _content(task))
                # A crash before this: the delivery is not done yet, so all of it is done again.
                if self._index is not None and entry is not None:
                    self._index.add(replace(entry, changed=path.stat().st_mtime_ns))
        except SpoolError as error:
            raise Unavailable(f"its index cannot be written: {error}") from error
        except OSError as error:
            # The values in the path may identify a patient: only the system's words are told.
            reason = error.strerror or type(error).__name__
            if error.errno in _OF_THIS_NAME:
                raise Rejected(reason) from error
            raise Unavailable(reason) from error
        return "written"

    def _entry(self, path: Path, task: DeliveryTask) -> Entry | None:
        """What the index will know of it, but for when its file was written."""
        if self._index is None:
            return None
        scan = scan_segments(task.segments, task.transfer_syntax, task.bulk)
        scan = scan.assuming(self._hooks.assumed_character_set(task.association))
        below = os.fsencode(path.relative_to(self._directory))
        try:
            return entry_of(scan, below, 0, task.sop_instance_uid, task.transfer_syntax)
        except ValueError as error:
            raise Hold(f"it cannot be in the index: {error}") from None

    def close(self) -> None:
        """Nothing is kept open."""

    def _keep_others(self, path: Path, sop_instance_uid: str) -> None:
        """A path without {SOPInstanceUID} may fit several instances: none overwrites another."""
        if not path.exists():
            return
        try:
            there = open_part10(path).sop_instance_uid
        except ValueError:
            there = None
        if there != sop_instance_uid:
            raise Rejected("another file is at this path: put {SOPInstanceUID} into `path`")


def _content(task: DeliveryTask) -> chain[bytes]:
    meta = encode_file_meta(
        task.sop_class_uid,
        task.sop_instance_uid,
        task.transfer_syntax,
        source_ae=task.association.calling_ae_title,
    )
    return chain([meta], read_segments(task.segments))
