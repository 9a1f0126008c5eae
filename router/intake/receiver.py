"""One data set on its way in: to its spool file and through the scanner, then the decision."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from router.dataset import Scanner, encode_file_meta
from router.spool import SpoolFull
from router.status import OUT_OF_RESOURCES
from router.wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.dataset import Scan
    from router.spool import IncomingFile
    from router.wire import StoreRequest

log = logging.getLogger("router.intake")

NO_SPACE = Response(OUT_OF_RESOURCES, "The router is out of disk space; send again later")


class Received:
    """A data set that has arrived whole: its file (not yet durable), its scan and its hash."""

    def __init__(
        self, file: IncomingFile, offset: int, scan: Scan, sha256: bytes, request: StoreRequest
    ) -> None:
        self.file = file
        self.offset = offset
        self.scan = scan
        self.sha256 = sha256
        self.request = request


class Receiver:
    """A StoreSink that appends to its association's file.

    Each instance lies there as Part 10: the first of a file can be opened with any tool.
    """

    def __init__(
        self,
        file: IncomingFile,
        request: StoreRequest,
        calling_ae_title: str,
        decide: Callable[[Received], Response],
    ) -> None:
        self._request = request
        self._decide = decide
        self._scanner = Scanner(request.transfer_syntax)
        self._hash = hashlib.sha256()
        self._full = False
        meta = encode_file_meta(
            request.sop_class_uid,
            request.sop_instance_uid,
            request.transfer_syntax,
            source_ae=calling_ae_title,
        )
        self._file = file
        self._offset = file.begin() + len(meta)
        self._write([memoryview(meta)])

    def write(self, fragments: Sequence[memoryview]) -> None:
        self._write(fragments)
        for fragment in fragments:
            self._scanner.feed(fragment)
            self._hash.update(fragment)

    def _write(self, fragments: Sequence[memoryview]) -> None:
        """Where space runs out the rest is only counted: the answer is given when all has come."""
        if self._full:
            return
        try:
            self._file.write(fragments)
        except SpoolFull:
            self._full = True
            log.error("spool.full sop_instance=%s", self._request.sop_instance_uid)

    def finish(self) -> Response:
        if self._full:
            self._file.discard()
            return NO_SPACE
        try:
            return self._decide(
                Received(
                    self._file,
                    self._offset,
                    self._scanner.finish(),
                    self._hash.digest(),
                    self._request,
                )
            )
        except BaseException:
            self._file.discard()
            raise

    def abandon(self) -> None:
        self._file.discard()
