"""Retrieves in the ledger: opened, looked at, closed."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from router.spool import accepting
from router.spool.passed import record
from router.spool.retrieves import (
    PREFIX,
    Expected,
    Retrieve,
    Retrieves,
    RetrieveState,
    number_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    import apsw

    from router.spool.claims import Claims
    from router.spool.codec import Paths
    from router.spool.records import Arrival
    from router.spool.retrieves import Asked, Originator, Which
    from router.spool.transaction import Transaction
    from router.spool.transit import Passed, Transit
    from router.spool.writer import Writer

log = logging.getLogger("router.spool")

_ENDED = "the retrieve has ended"
_STATE = """
SELECT coalesce(c.sop_instance_uid, i.sop_instance_uid), c.state, c.retry_at IS NOT NULL,
    coalesce(c.reason, ''), d.state, coalesce(d.reason, '')
FROM retrieved r JOIN instances i ON i.id = r.instance
    JOIN copies c ON c.instance = r.instance AND c.destinations LIKE :named
    LEFT JOIN deliveries d ON d.copy = c.id AND d.destination = :destination
WHERE r.retrieve = :number
"""
_COPIES = """
UPDATE copies SET state = 'discarded', retry_at = NULL, changed = :now,
    reason = coalesce(reason || '; ', '') || :ended
WHERE instance IN (SELECT instance FROM retrieved WHERE retrieve = :number)
    AND destinations LIKE :named AND state IN ('received', 'held')
"""
_DELIVERIES = """
UPDATE deliveries SET state = 'discarded', due = NULL, changed = :now,
    reason = coalesce(reason || '; ', '') || :ended
WHERE instance IN (SELECT instance FROM retrieved WHERE retrieve = :number)
    AND destination LIKE :name AND state IN ('queued', 'waiting', 'held')
"""
_OPENED = "INSERT INTO retrieves(id, route, service, name, opened) VALUES(?, ?, ?, ?, ?)"
_CLOSED = """
UPDATE retrieves SET closed = ?, status = ?, completed = ?, failed = ?, comment = ? WHERE id = ?
"""
_IS_CLOSED = "SELECT 1 FROM retrieves WHERE id = ? AND closed IS NOT NULL"


class SqliteRetrieves:
    """See `Ledger`."""

    _writer: Writer
    _claims: Claims
    _retrieves: Retrieves

    def _read(self) -> AbstractContextManager[apsw.Connection]:
        raise NotImplementedError

    def open_retrieve(
        self, service: str, route: str, name: str, has_chain: bool, asked: Asked
    ) -> Retrieve:
        retrieve = self._retrieves.open(route, name, has_chain, asked)

        def operation(transaction: Transaction) -> None:
            values = (retrieve.number, route, service, name, transaction.now)
            transaction.execute(_OPENED, values)

        self._writer.submit(operation, waited_for=False)
        return retrieve

    def let_pass(self, retrieve: Retrieve, wake: Callable[[], None]) -> None:
        self._retrieves.let_pass(retrieve, wake)

    def passes(self, originator: Originator | None, only: Retrieve | None = None) -> bool:
        return self._retrieves.passes(originator, only)

    def passed(self, transit: Transit, passed: Passed) -> None:
        due = transit.note(passed)
        if due:
            self._writer.submit(partial(_record, due), waited_for=False)

    def expected(
        self,
        which: Which,
        senders: Collection[str],
        originator: Originator | None,
        only: Retrieve | None = None,
    ) -> Expected:
        return self._retrieves.expect(which, senders, originator, only)

    def not_accepted(self, expected: Expected, sop_instance_uid: str) -> None:
        self._retrieves.give_back(expected.retrieves, sop_instance_uid)

    def retrieve_state(self, retrieve: Retrieve) -> RetrieveState:
        open_copies, skipped, failed = 0, set(), {}
        destination = retrieve.destination
        values = {"number": retrieve.number, "destination": destination}
        with self._read() as reader:
            rows = list(reader.execute(_STATE, values | {"named": _named(retrieve.number)}))
        for uid, state, waits, reason, delivery, why in rows:
            if state == "skipped":
                skipped.add(uid)
            elif state == "received":
                open_copies += 1
            elif state in ("held", "discarded"):
                failed[uid] = reason or ("it waits" if waits else state)
            elif delivery in (None, "queued", "waiting"):
                open_copies += 1
            elif delivery != "delivered":
                failed[uid] = why or delivery
        return RetrieveState(open_copies, frozenset(skipped), failed)

    def close_retrieve(
        self, retrieve: Retrieve, status: int, completed: int, failed: int, comment: str
    ) -> Future[None]:
        self._retrieves.close(retrieve)
        passed = retrieve.transit.close() if retrieve.transit else []

        def operation(transaction: Transaction) -> None:
            _record(passed, transaction)
            end(transaction, retrieve.number)
            values = (transaction.now, status, completed, failed, comment, retrieve.number)
            transaction.execute(_CLOSED, values)
            transaction.after_commit.append(
                partial(self._claims.forget_destination, retrieve.destination)
            )

        return self._writer.submit(operation, waited_for=False)

    def end_retrieves(self) -> Future[int]:
        return self._writer.submit(_end_all)


def _record(passed: Iterable[Passed], transaction: Transaction) -> None:
    for each in passed:
        record(transaction, each, _ENDED)


def accept(arrival: Arrival, paths: Paths, transaction: Transaction) -> int:
    """As ever; what was on its way in when its retrieve was closed is discarded like the rest."""
    instance = accepting.accept(transaction, arrival, paths)
    for copy in arrival.copies:
        for number in filter(None, map(number_of, copy.destinations)):
            if transaction.execute(_IS_CLOSED, (number,)).get:
                end(transaction, number)
    return instance


def end(transaction: Transaction, number: int) -> None:
    """Discard what is not delivered of a retrieve."""
    values = {
        "number": number,
        "named": _named(number),
        "name": f"{PREFIX}{number}:%",
        "now": transaction.now,
        "ended": _ENDED,
    }
    instances = transaction.execute("SELECT instance FROM retrieved WHERE retrieve = ?", (number,))
    transaction.touched.update(instance for (instance,) in instances)
    transaction.execute(_COPIES, values)
    transaction.execute(_DELIVERIES, values)
    transaction.execute("DELETE FROM retrieved WHERE retrieve = ?", (number,))


def _end_all(transaction: Transaction) -> int:
    rows = list(
        transaction.execute(
            "SELECT id FROM retrieves WHERE closed IS NULL UNION SELECT retrieve FROM retrieved"
        )
    )
    for (number,) in rows:
        end(transaction, number)
        transaction.execute(_CLOSED, (transaction.now, None, 0, 0, _ENDED, number))
    return len(rows)


def _named(number: int) -> str:
    """What the destinations of a copy look like that is for the retrieve."""
    return f'%"{PREFIX}{number}:%'
