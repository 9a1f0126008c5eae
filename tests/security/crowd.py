"""`python -m tests.security.crowd PORT [SILENT DRIPPING]`: connections that ask for nothing.

Silent ones only connect; dripping ones send an A-ASSOCIATE-RQ, a byte a second. Whoever is cut off
comes again. Says `there` when all are connected, and ends with its standard input.
"""

from __future__ import annotations

import selectors
import socket
import sys
from contextlib import suppress

from tests.wire.peers import associate_request

SILENT, DRIPPING = 1000, 200
_BETWEEN = 0.1  # seconds; each time a tenth of those who drip do
_REQUEST = associate_request()


class Crowd:
    def __init__(self, port: int, silent: int, dripping: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._said: dict[socket.socket, int] = {}
        self.came_again = 0
        for number in range(silent + dripping):
            self._connect(dripping=number < dripping)

    def _connect(self, dripping: bool) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), 20)
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, dripping)
        if dripping:
            self._said[connection] = 0

    def go_on(self, turn: int) -> None:
        """Let a tenth drip, and those who were cut off come again."""
        for connection in list(self._said)[turn % 10 :: 10]:
            with suppress(OSError):
                connection.send(_REQUEST[self._said[connection] :][:1])
                self._said[connection] += 1
        for key, _ in self._selector.select(0):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            self._selector.unregister(connection)
            self._said.pop(connection, None)
            connection.close()
            self.came_again += 1
            self._connect(dripping=key.data)


def main(port: str, silent: str = str(SILENT), dripping: str = str(DRIPPING)) -> None:
    crowd = Crowd(int(port), int(silent), int(dripping))
    print("there", flush=True)
    turn = 0
    with selectors.DefaultSelector() as ending:
        ending.register(sys.stdin, selectors.EVENT_READ)
        while not ending.select(_BETWEEN):
            crowd.go_on(turn)
            turn += 1
    print(crowd.came_again, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
