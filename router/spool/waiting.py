"""How much waits for each destination, always known: what listeners may still accept for it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

_DELIVERIES = """
SELECT destination, sum(size) FROM deliveries INDEXED BY deliveries_{state}
WHERE state = '{state}' GROUP BY destination
"""
_COPIES = """
SELECT destinations, length FROM copies INDEXED BY copies_{state}
    JOIN instances ON instances.id = instance WHERE copies.state = '{state}'
"""
# They see every statement that changes a state, whoever makes it.
_TRIGGERS = """
CREATE TEMP TRIGGER delivery_made AFTER INSERT ON main.deliveries
WHEN new.state IN ({waits}) BEGIN
    SELECT delivery_waits(new.destination, new.size);
END;
CREATE TEMP TRIGGER delivery_changed AFTER UPDATE OF state, destination ON main.deliveries
WHEN (new.state IN ({waits})) != (old.state IN ({waits}))
    OR new.destination != old.destination BEGIN
    SELECT delivery_waits(old.destination, -old.size) WHERE old.state IN ({waits});
    SELECT delivery_waits(new.destination, new.size) WHERE new.state IN ({waits});
END;
CREATE TEMP TRIGGER copy_made AFTER INSERT ON main.copies
WHEN new.state IN ('received', 'held') BEGIN
    SELECT copy_waits(new.destinations, length) FROM instances WHERE id = new.instance;
END;
CREATE TEMP TRIGGER copy_changed AFTER UPDATE OF state ON main.copies
WHEN (new.state IN ('received', 'held')) != (old.state IN ('received', 'held')) BEGIN
    SELECT copy_waits(old.destinations, iif(new.state IN ('received', 'held'), length, -length))
    FROM instances WHERE id = new.instance;
END;
"""


class Waiting:
    """Bytes of the deliveries that are not done, and of the copies that may become some.

    `connection` is the one that writes; what a commit changes counts once it is `committed`.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._bytes: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        for state in ("queued", "waiting", "held"):
            for destination, size in connection.execute(_DELIVERIES.format(state=state)):
                self._bytes[destination] += size
        for state in ("received", "held"):
            for destinations, length in connection.execute(_COPIES.format(state=state)):
                self._note_copy(destinations, length)
        self.committed()
        connection.create_scalar_function("delivery_waits", self._note_delivery, 2)
        connection.create_scalar_function("copy_waits", self._note_copy, 2)
        connection.execute(_TRIGGERS.format(waits="'queued', 'waiting', 'held'"))

    def __getitem__(self, destination: str) -> int:
        return self._bytes[destination]

    def committed(self) -> None:
        for destination, size in self._changes.items():
            self._bytes[destination] += size
            if not self._bytes[destination]:
                del self._bytes[destination]  # a retrieve's does not come again
        self._changes.clear()

    def rolled_back(self) -> None:
        self._changes.clear()

    def _note_delivery(self, *values: Any) -> None:  # noqa: ANN401
        destination, size = values
        self._changes[destination] += size

    def _note_copy(self, *values: Any) -> None:  # noqa: ANN401
        destinations, size = values
        for destination in json.loads(destinations):
            self._changes[destination] += size
