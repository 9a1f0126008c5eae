"""A storage SCP that keeps nothing but the time at which each object was there."""

import queue
import time

from router.wire import Response


class StopwatchSink:
    """Service, session and sink in one: it needs no state but the queue of times."""

    def __init__(self) -> None:
        self.stored: queue.SimpleQueue[float] = queue.SimpleQueue()

    def open(self, _request: object) -> "StopwatchSink":
        return self

    def turned_away(self, _address: str, _why: str) -> None:
        pass

    def provides(self, _offer: object) -> bool:
        return False

    def knows_user(self) -> bool:
        return False

    def answer(self, offer) -> str:
        return offer.transfer_syntaxes[0]

    def store(self, _request: object) -> "StopwatchSink":
        return self

    def ended(self, _how: str) -> None:
        pass

    def write(self, _fragments: object) -> None:
        pass

    def finish(self) -> Response:
        self.stored.put(time.perf_counter())
        return Response(0)

    def abandon(self) -> None:
        pass
