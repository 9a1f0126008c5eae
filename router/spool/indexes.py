"""The local indexes of all folders that have one, each opened when it is first needed."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from router.config.model import FolderDestination
from router.files import safe_name
from router.spool.errors import SpoolError
from router.spool.index import LocalIndex

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.model import AnyDestination

log = logging.getLogger("router.spool")


def index_path(spool: Path, name: str) -> Path:
    """Where the index of a destination is, in the spool's directory."""
    return spool / "index" / f"{safe_name(name)}.db"


class Indexes:
    """Those of one spool; for any thread."""

    def __init__(self, spool: Path) -> None:
        """`spool` is the spool's directory."""
        self._spool = spool
        self._lock = threading.Lock()
        self._open: dict[str, LocalIndex] = {}

    def of(self, name: str, directory: Path) -> LocalIndex:
        """That of the folder destination of this name, which writes to `directory`."""
        with self._lock:
            index = self._open.get(name)
            if index is None or index.directory != directory:
                index = self._open[name] = LocalIndex(index_path(self._spool, name), directory)
            return index

    def follow(self, destinations: Mapping[str, AnyDestination]) -> None:
        """These are the destinations from now on; raises nothing."""
        for name, settings in destinations.items():
            if not isinstance(settings, FolderDestination) or not settings.index:
                continue
            try:
                is_whole = self.of(name, settings.directory).is_whole
            except (SpoolError, OSError) as error:
                log.error("index.unusable destination=%s reason=%s", name, error)
                continue
            if not is_whole:
                log.warning(
                    "index.incomplete destination=%s what_to_do=dicom-router index rebuild", name
                )

    def close(self) -> None:
        with self._lock:
            for index in self._open.values():
                index.close()
            self._open.clear()
