"""The ledger on SQLite, for one router: one connection writes, others read (WAL)."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from router.spool import accepting, finishing, listing, recovery, retention, trail
from router.spool.claims import Claims
from router.spool.codec import Paths, now_microseconds, to_microseconds
from router.spool.refusals import Refusals
from router.spool.retrieves import Retrieves
from router.spool.schema import open_reader, open_writer
from router.spool.sqlite_commands import SqliteCommands
from router.spool.sqlite_retrieves import SqliteRetrieves, accept
from router.spool.sqlite_studies import SqliteStudies
from router.spool.studies import kinds
from router.spool.summary import summary, waiting
from router.spool.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import apsw

    from router.config.model import DestinationConfig
    from router.spool.health import Health
    from router.spool.records import (
        Arrival,
        Attempt,
        CopyOutcome,
        CopyTask,
        DeliveryTask,
        Expirable,
        IntakeRefusal,
        Outcome,
        PlannedCopy,
        ReleasedInstance,
        Selection,
        StandIn,
        WaitingStudy,
    )
    from router.spool.reports import QueueRow, Summary, Trail, Waiting
    from router.spool.transaction import Transaction

log = logging.getLogger("router.spool")

T = TypeVar("T")
P = ParamSpec("P")


class SqliteLedger(SqliteCommands, SqliteStudies, SqliteRetrieves):
    """See `Ledger`. `root` is the spool's directory; the caller holds its lock."""

    def __init__(self, path: Path, root: Path, health: Health) -> None:
        super().__init__()
        self._paths = Paths(str(root))
        self._health = health
        self._subscribers: list[Callable[[set[str]], None]] = []
        self._writer = Writer(open_writer(path), health, self._tell)
        self._refusals = Refusals(self._writer)
        self._claims = Claims(open_reader(path), self._paths)
        self._reader = open_reader(path)
        self._reading = threading.Lock()
        self.end_retrieves().result()
        with self._read() as reader:
            rows = reader.execute("SELECT name FROM destinations WHERE paused")
            self._paused = {name for (name,) in rows}
            missing = recovery.missing_files(reader, self._paths)
            last = reader.execute("SELECT max(id) FROM retrieves").get
            self._retrieves = Retrieves(last or 0)
        if missing:
            self._write(recovery.hold_missing, missing).result()

    def __repr__(self) -> str:
        return f"SqliteLedger({self._writer!r}, {self._claims!r})"

    def accept(self, arrival: Arrival, waited_for: bool = True) -> Future[int]:
        return self._writer.submit(partial(accept, arrival, self._paths), waited_for)

    def outcome(self, instance_id: int, required: Collection[str]) -> Future[Outcome]:
        future: Future[Outcome] = Future()

        def operation(transaction: Transaction) -> None:
            transaction.outcomes.ask(instance_id, required, future)
            transaction.noted.add(instance_id)

        self._writer.submit(operation)
        return future

    def refused(self, refusal: IntakeRefusal) -> None:
        self._refusals.note(refusal)

    def write_refusals_again(self) -> None:
        self._refusals.write_again()

    def claim_copies(self, limit: int, now: datetime | None = None) -> Sequence[CopyTask]:
        return self._claims.copies(limit, now)

    def finish_copy(self, copy_id: int, outcome: CopyOutcome) -> Future[None]:
        def operation(transaction: Transaction) -> None:
            finishing.finish_copy(transaction, copy_id, outcome, self._paths)
            transaction.after_commit.append(partial(self._claims.end_copies, (copy_id,)))

        return self._writer.submit(operation, waited_for=False)

    def release_copy_claims(self, copy_ids: Collection[int]) -> None:
        self._claims.end_copies(copy_ids)

    def claim(
        self, destination: str, limit: int, now: datetime | None = None
    ) -> Sequence[DeliveryTask]:
        if destination in self._paused:
            return []
        return self._claims.deliveries(destination, limit, now)

    def claim_study(
        self,
        destination: str,
        limit: int,
        choose: Callable[[Sequence[WaitingStudy]], int | None],
        stand_in: StandIn | None = None,
    ) -> Sequence[DeliveryTask]:
        if destination in self._paused:
            return []
        return self._claims.deliveries_of_study(destination, limit, choose, stand_in)

    def claim_overdue(
        self, destination: str, before: datetime, limit: int
    ) -> Sequence[DeliveryTask]:
        return self._claims.overdue(destination, before, limit)

    def is_withdrawn(self, delivery_id: int) -> bool:
        return self._claims.is_withdrawn(delivery_id)

    def waiting_kinds(self, destination: str) -> set[tuple[str, str]]:
        with self._read() as reader:
            return kinds(reader, destination)

    def finish(self, attempts: Sequence[Attempt]) -> Future[None]:
        ids = [attempt.delivery_id for attempt in attempts]

        def operation(transaction: Transaction) -> None:
            for attempt in attempts:
                finishing.finish(transaction, attempt)
            transaction.after_commit.append(partial(self._claims.end_deliveries, ids))

        return self._writer.submit(operation, waited_for=False)

    def release_claims(self, delivery_ids: Collection[int]) -> None:
        self._claims.end_deliveries(delivery_ids)

    def next_due(self, topic: str) -> datetime | None:
        return self._claims.next_due(topic)

    def subscribe(self, callback: Callable[[set[str]], None]) -> None:
        self._subscribers.append(callback)

    def claim_released(self, limit: int) -> Sequence[ReleasedInstance]:
        return self._claims.released(limit)

    def plan(
        self,
        instance_id: int,
        generation: int,
        copies: Sequence[PlannedCopy],
        held_reason: str | None = None,
    ) -> Future[None]:
        return self._write(accepting.plan, instance_id, generation, copies, held_reason)

    def follow(self, destinations: Mapping[str, DestinationConfig]) -> None:
        self._writer.follow(destinations)

    def waiting_bytes(self, destination: str) -> int:
        return self._writer.waiting(destination)

    def pause(self, destination: str) -> Future[None]:
        return self._set_paused(destination, True)

    def resume(self, destination: str) -> Future[None]:
        return self._set_paused(destination, False)

    def paused(self) -> set[str]:
        return set(self._paused)

    def waiting(self) -> Sequence[Waiting]:
        with self._read() as reader:
            return waiting(reader)

    def summary(self, now: datetime | None = None) -> Summary:
        time, failed = now_microseconds(now), self._health.failed
        with self._read() as reader:
            return summary(reader, time, self._claims.sending, failed)

    def count(self, selection: Selection) -> int:
        with self._read() as reader:
            return listing.count_rows(reader, selection)

    def list(self, selection: Selection, limit: int = 1000) -> Sequence[QueueRow]:
        with self._read() as reader:
            return listing.list_rows(reader, selection, limit)

    def where(
        self,
        uid: str | None = None,
        *,
        accession_number: str | None = None,
        patient_id: str | None = None,
        limit: int = 1000,
    ) -> Trail:
        asked = {
            trail.BY_UID: uid,
            trail.BY_ACCESSION_NUMBER: accession_number,
            trail.BY_PATIENT_ID: patient_id,
        }
        given = [(query, value) for query, value in asked.items() if value is not None]
        if len(given) != 1:
            raise TypeError("where() takes one of uid, accession_number and patient_id")
        with self._read() as reader:
            return trail.where(reader, *given[0], limit)

    @property
    def backlog(self) -> int:
        return self._writer.backlog

    def accepted_until(self, path: str) -> int:
        query = "SELECT accepted FROM files WHERE path = ?"
        with self._read() as reader:
            found = reader.execute(query, (self._paths.relative(path),)).get
        return int(found or 0)

    def expirable(
        self, before: datetime, limit: int, spared: Collection[str] = ()
    ) -> Sequence[Expirable]:
        with self._read() as reader:
            return retention.expirable(reader, to_microseconds(before), limit, spared, self._paths)

    def forget_files(self, instance_ids: Collection[int]) -> Future[None]:
        return self._write(retention.forget_files, instance_ids)

    def lost(self, instance_ids: Collection[int]) -> Future[None]:
        def operation(transaction: Transaction) -> None:
            recovery.hold_missing(transaction, instance_ids)
            retention.forget_files(transaction, instance_ids)

        return self._writer.submit(operation)

    def forget(self, before: datetime) -> Future[int]:
        return self._write(retention.forget, to_microseconds(before))

    def close(self) -> None:
        self._claims.close()
        with self._reading:
            self._reader.close()
        self._writer.close()

    def _set_paused(self, destination: str, paused: bool) -> Future[None]:
        def operation(transaction: Transaction) -> None:
            transaction.execute(
                "INSERT INTO destinations(name, paused) VALUES(:name, :paused)"
                " ON CONFLICT(name) DO UPDATE SET paused = :paused",
                {"name": destination, "paused": paused},
            )
            change = self._paused.add if paused else self._paused.discard
            transaction.after_commit.append(partial(change, destination))
            transaction.topics.add(f"destination:{destination}")

        return self._writer.submit(operation)

    def _write(
        self,
        operation: Callable[Concatenate[Transaction, P], T],
        *arguments: P.args,
        **keywords: P.kwargs,
    ) -> Future[T]:
        return self._writer.submit(lambda commit: operation(commit, *arguments, **keywords))

    @contextmanager
    def _read(self) -> Iterator[apsw.Connection]:
        """One snapshot: what is read belongs together."""
        with self._reading, self._reader:
            yield self._reader

    def _tell(self, topics: set[str]) -> None:
        for callback in self._subscribers:
            try:
                callback(topics)
            except Exception:
                log.exception("ledger.subscriber.failed")
