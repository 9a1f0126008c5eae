"""A destination of type folder: Part 10 files below a directory, each whole or not at all."""

from __future__ import annotations

import errno
import threading
from itertools import chain
from typing import TYPE_CHECKING

from router.dataset import encode_file_meta, open_part10, read_segments
from router.delivery.outgoing import instance_of
from router.files import write_durably
from router.instance import Rejected, Unavailable
from router.template import PathTemplate

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import FolderDestination
    from router.delivery.outgoing import Hooks
    from router.spool import DeliveryTask

# Two lanes may have different instances for one path: looking and writing is one step.
_WRITING = [threading.Lock() for _ in range(64)]
_OF_THIS_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


class FolderSender:
    """Writes each instance where the path template says; a newer version replaces an older."""

    def __init__(self, settings: FolderDestination, hooks: Hooks) -> None:
        self._hooks = hooks
        self._directory = settings.directory
        self._template = PathTemplate(settings.path)

    def send(self, task: DeliveryTask) -> str:
        """Returns once a crash keeps the file; raises Hold, Rejected, Unavailable."""
        path = self._directory / self._template.render(instance_of(task, self._hooks))
        try:
            with _WRITING[hash(path) % len(_WRITING)]:
                self._keep_others(path, task.sop_instance_uid)
                write_durably(path, _content(task))
        except OSError as error:
            # The values in the path may identify a patient: only the system's words are told.
            reason = error.strerror or type(error).__name__
            if error.errno in _OF_THIS_NAME:
                raise Rejected(reason) from error
            raise Unavailable(reason) from error
        return "written"

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
