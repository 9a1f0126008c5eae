"""One data set on its way in: to its spool file and through the scanner, then the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.dataset import FileRange, Scanner, encode_file_meta
from router.dataset import Limits as ScanLimits
from router.intake.unkept import TooLarge
from router.spool import LARGEST_PASSING, SpoolError, new_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.config import Limits
    from router.dataset import Scan, Segment
    from router.spool import Digest, IncomingFile
    from router.wire import Response, StoreRequest


class Received:
    """A data set that has arrived whole: its file (not yet durable) and its scan; its `digest` is
    computed when it is asked for, if all of it is still in memory.
    """

    def __init__(
        self,
        file: IncomingFile,
        offset: int,
        length: int,
        scan: Scan,
        digest: Callable[[], bytes],
        request: StoreRequest,
    ) -> None:
        self.file = file
        self.offset = offset
        self.length = length
        self.scan = scan
        self.digest = digest
        self.request = request

    def segments(self) -> tuple[Segment, ...]:
        """Where it is now."""
        whole = FileRange(self.file.path, self.offset, self.length)
        return self.file.held(self.offset) or (whole,)


class Receiver:
    """A StoreSink that appends to its association's file.

    Each instance lies there as Part 10: the first of a file can be opened with any tool.
    """

    def __init__(
        self,
        file: IncomingFile,
        request: StoreRequest,
        calling_ae_title: str,
        assume_character_set: str | None,
        decide: Callable[[Received], Response],
        refuse: Callable[[SpoolError], Response],
        limits: Limits,
        passes: bool,
    ) -> None:
        self._request = request
        self._assume_character_set = assume_character_set
        self._decide = decide
        self._refuse = refuse
        caps = ScanLimits(
            header=limits.header,
            nesting=limits.nesting,
            inflated=limits.inflated,
            inflated_ratio=limits.inflated_ratio,
        )
        self._scanner = Scanner(request.transfer_syntax, caps)
        self._most = limits.object
        self._length = 0
        self._digest: Digest | None = None  # while all of it is in memory
        self._failure: SpoolError | None = None
        meta = encode_file_meta(
            request.sop_class_uid,
            request.sop_instance_uid,
            request.transfer_syntax,
            source_ae=calling_ae_title,
        )
        self._file = file
        self._offset = (file.begin(LARGEST_PASSING) if passes else file.begin()) + len(meta)
        self._write([memoryview(meta)])

    def write(self, fragments: Sequence[memoryview]) -> None:
        size = sum(map(len, fragments))
        self._length += size
        if self._length > self._most:
            self._failure = self._failure or TooLarge()
            return
        if self._digest is None and not self._file.holds(size):
            self._digest = self._digest_of_held()
        self._write(fragments)
        for fragment in fragments:
            self._scanner.feed(fragment)
            if self._digest is not None:
                self._digest.update(fragment)

    def _write(self, fragments: Sequence[memoryview]) -> None:
        """What cannot be kept is only read: the answer is given when all has come."""
        if self._failure:
            return
        try:
            self._file.write(fragments)
        except SpoolError as error:
            self._failure = error

    def finish(self) -> Response:
        if self._failure:
            self._file.discard()
            return self._refuse(self._failure)
        try:
            return self._decide(
                Received(
                    self._file,
                    self._offset,
                    self._length,
                    self._scanner.finish().assuming(self._assume_character_set),
                    lambda: (self._digest or self._digest_of_held()).digest(),
                    self._request,
                )
            )
        except BaseException:
            self._file.discard()
            raise

    def _digest_of_held(self) -> Digest:
        digest = new_digest()
        for piece in self._file.held(self._offset) or ():
            digest.update(piece)
        return digest

    def abandon(self) -> None:
        self._file.discard()
