"""What was refused is remembered, also what was refused because the ledger had no space either."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from router.spool import accepting
from router.spool.errors import SpoolFull

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.spool.records import IntakeRefusal
    from router.spool.writer import Writer

MOST_WAITING = 1000


class Refusals:
    """Has refusals written, dropping rather than waiting for them: there may be any number."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._unwritten: deque[IntakeRefusal] = deque(maxlen=MOST_WAITING)

    def note(self, refusal: IntakeRefusal) -> None:
        if refusal.status:
            self._writer.tally.note("refused", refusal.listener, f"0x{refusal.status:04X}")
        else:
            self._writer.tally.note("rejected", refusal.listener)
        if self._writer.backlog < MOST_WAITING:
            self._write(refusal)

    def write_again(self) -> None:
        """What there was no space for."""
        for _ in range(len(self._unwritten)):
            self._write(self._unwritten.popleft())

    def _write(self, refusal: IntakeRefusal) -> None:
        future = self._writer.submit(partial(accepting.refused, refusal=refusal))
        future.add_done_callback(partial(self._written, refusal))

    def _written(self, refusal: IntakeRefusal, done: Future[None]) -> None:
        if isinstance(done.exception(), SpoolFull):
            self._unwritten.append(refusal)
