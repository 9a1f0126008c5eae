"""The ledger's commands for people: what waits or is held, changed in bounded steps."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from router.spool import commands, listing, redirecting
from router.spool.codec import to_microseconds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from datetime import datetime

    import apsw

    from router.spool.claims import Claims
    from router.spool.records import Selection
    from router.spool.tally import Key
    from router.spool.transaction import Transaction
    from router.spool.writer import Writer


class SqliteCommands:
    """See `Ledger`. Each reads which rows are meant, then changes those that still fit."""

    _writer: Writer
    _claims: Claims

    def _read(self) -> AbstractContextManager[apsw.Connection]:
        raise NotImplementedError

    def tally(self) -> Mapping[Key, int]:
        return self._writer.tally.read()

    def probe(self) -> Future[None]:
        return self._writer.submit(lambda _: None)

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

    def newest_instance(self) -> Future[int]:
        def newest(transaction: Transaction) -> int:
            return transaction.execute("SELECT max(id) FROM instances").get or 0

        return self._writer.submit(newest)

    def oldest_unprocessed(self) -> int | None:
        with self._read() as reader:
            found: int | None = reader.execute(
                "SELECT min(instance) FROM copies INDEXED BY copies_received "
                "WHERE state = 'received'"
            ).get
        return found

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
        steps = redirecting.move(selected["deliveries"], to)
        return self._withdrawing(steps, selected["deliveries"])

    def resend(self, to: str, selection: Selection, since: datetime | None) -> Future[int]:
        earliest = None if since is None else to_microseconds(since)
        with self._read() as reader:
            copies = redirecting.kept_copies(reader, to, selection, earliest)
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
        steps = commands.steps(command, selected, reason)
        return self._withdrawing(steps, selected["deliveries"] if command.withdraws else ())

    def _withdrawing(
        self, steps: Iterator[commands.Step], deliveries: Sequence[int]
    ) -> Future[int]:
        """Run the steps; then whoever has claimed one of the deliveries is to give it back."""

        def withdraw(transaction: Transaction) -> int:
            transaction.after_commit.append(partial(self._claims.withdraw, deliveries))
            return 0

        return commands.in_steps(self._writer, chain(steps, [withdraw] if deliveries else ()))
