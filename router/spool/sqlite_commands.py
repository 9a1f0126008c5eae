"""The ledger's commands for people: what waits or is held, changed in bounded steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool import commands, listing, redirecting
from router.spool.codec import to_microseconds

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from datetime import datetime

    import apsw

    from router.spool.records import Selection
    from router.spool.writer import Writer


class SqliteCommands:
    """See `Ledger`. Each reads which rows are meant, then changes those that still fit."""

    _writer: Writer

    def _read(self) -> AbstractContextManager[apsw.Connection]:
        raise NotImplementedError

    def hold(self, selection: Selection, reason: str) -> Future[int]:
        return self._command(commands.HOLD, selection, reason)

    def release(self, selection: Selection) -> Future[int]:
        return self._command(commands.RELEASE, selection)

    def retry(self, selection: Selection) -> Future[int]:
        return self._command(commands.RETRY, selection)

    def first(self, selection: Selection) -> Future[int]:
        return self._command(commands.FIRST, selection)

    def discard(self, selection: Selection, reason: str) -> Future[int]:
        return self._command(commands.DISCARD, selection, reason, whole_copies=True)

    def hold_copies_of_unknown_routes(self, known: Collection[str]) -> Future[int]:
        with self._read() as reader:
            found = listing.unprocessed_by_route(reader)
        return commands.in_steps(
            self._writer,
            (
                step
                for route, copies in found.items()
                if route not in known
                for step in commands.steps(
                    commands.HOLD, {"copies": copies}, f"route {route} is gone from the config"
                )
            ),
        )

    def move(self, selection: Selection, to: str) -> Future[int]:
        with self._read() as reader:
            selected = listing.select_ids(reader, selection)
        return commands.in_steps(self._writer, redirecting.move(selected["deliveries"], to))

    def resend(
        self, to: str, study: str | None, route: str | None, since: datetime | None
    ) -> Future[int]:
        earliest = None if since is None else to_microseconds(since)
        with self._read() as reader:
            copies = redirecting.kept_copies(reader, study, route, earliest)
        return commands.in_steps(self._writer, redirecting.resend(copies, to))

    def _command(
        self,
        command: commands.Command,
        selection: Selection,
        reason: str = "",
        whole_copies: bool = False,
    ) -> Future[int]:
        with self._read() as reader:
            selected = listing.select_ids(reader, selection, whole_copies)
        return commands.in_steps(self._writer, commands.steps(command, selected, reason))
