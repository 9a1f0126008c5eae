"""What was in transit comes into the ledger when it has left: the rows of its trail, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.spool.accepting import insert_instance
from router.spool.codec import encode_names, to_microseconds
from router.spool.finishing import INSERT_ATTEMPT, reason_of

if TYPE_CHECKING:
    from router.spool.transaction import Transaction
    from router.spool.transit import Passed

_INSERT_COPY = """
INSERT INTO copies(instance, route, state, destinations, changed)
VALUES(?, ?, 'processed', ?, ?)
"""
_INSERT_DELIVERY = """
INSERT INTO deliveries(instance, copy, study, destination, state, first_queued, changed,
    size, reason, attempts, tries)
SELECT i.id, ?, study, ?, ?, i.received, ?, length, ?, ?, ?
FROM instances i JOIN series s ON s.id = series WHERE i.id = ?
"""


def record(transaction: Transaction, passed: Passed, otherwise: str) -> None:
    """What was never tried is discarded: `otherwise` says why."""
    arrival, attempt = passed.arrival, passed.attempt
    [copy] = arrival.copies
    [destination] = copy.destinations
    instance = insert_instance(transaction, arrival, None)
    names = encode_names(copy.destinations)
    row = transaction.insert(_INSERT_COPY, (instance, copy.route, names, transaction.now))
    if attempt is None:
        never = ("discarded", transaction.now, otherwise, 0, 0)
        transaction.execute(_INSERT_DELIVERY, (row, destination, *never, instance))
        return
    time, reason = to_microseconds(attempt.time), reason_of(attempt)
    ended = (attempt.outcome, time, None if attempt.outcome == "delivered" else reason, 1, 1)
    delivery = transaction.insert(_INSERT_DELIVERY, (row, destination, *ended, instance))
    tried = (attempt.outcome, attempt.status, attempt.comment, None, None)
    transaction.execute(INSERT_ATTEMPT, (delivery, 1, time, *tried))
