"""An upstream: where it is, what it is asked, and the thread that waits for its answers."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.delivery.dicom import peer_of
from router.query.identifier import SYNTAXES
from router.wire import PeerTimeout, QueryResponse, Timeouts, WireError, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.config import DicomDestination
    from router.query.conversation import Ask, Conversation, Inquiring
    from router.query.identifier import Identifier
    from router.wire import Peer

AFTER_CANCEL = 5.0  # seconds an upstream has to end what was cancelled
_MOST_UNREAD = 64  # responses an upstream may be ahead of the requestor
_MOST_UNREAD_BYTES = 4 * 1024 * 1024  # and then one


@dataclass(frozen=True)
class Upstream:
    """A destination as who is asked; `store_ae_title` and `address` are what it sends from."""

    name: str
    peer: Peer
    timeouts: Timeouts
    retrieve: str
    move_to: str
    store_ae_title: str
    address: str
    issuer_of_patient_id: str | None
    character_set: str | None

    def connect(
        self,
        sop_class_uid: str,
        transfer_syntax: str,
        stored: Iterable[tuple[str, list[str]]] = (),
    ) -> Conversation:
        """An association for one SOP class, best in the requestor's transfer syntax.

        `stored` are contexts on which the upstream sends (C-GET).
        """
        syntaxes = sorted(SYNTAXES, key=lambda each: each != transfer_syntax)
        sent = list(stored)
        contexts = [(sop_class_uid, [syntax]) for syntax in syntaxes] + sent
        receiving = list(dict.fromkeys(sop_class for sop_class, _ in sent))
        return connect(self.peer, contexts, timeouts=self.timeouts, receiving=receiving)


def upstream(
    name: str, settings: DicomDestination, calling_ae_title: str, deadline: float
) -> Upstream:
    """What a destination is as an upstream; nothing may take longer than `deadline` seconds."""
    query, waits = settings.query, settings.timeouts
    ours = settings.calling_ae_title.format(calling_ae_title=calling_ae_title)
    there = peer_of(settings, ours)
    return Upstream(
        name=name,
        peer=replace(
            there,
            host=query.host or there.host,
            port=query.port or there.port,
            called_ae_title=query.ae_title or there.called_ae_title,
        ),
        timeouts=Timeouts(min(waits.connect, deadline), min(waits.association, deadline), deadline),
        retrieve=query.retrieve,
        move_to=query.move_to or ours,
        store_ae_title=settings.ae_title,
        address=settings.address,
        issuer_of_patient_id=query.issuer_of_patient_id,
        character_set=query.character_set,
    )


@dataclass(frozen=True)
class Failed:
    """An upstream gave no last response; `reason` never names a patient."""

    reason: str


Answer = tuple[int, QueryResponse | Failed]


class Channel:
    """What upstreams have answered and the requestor's thread has not taken yet; bounded."""

    def __init__(self, wake: Callable[[], None], *, only_last: bool = False) -> None:
        """`wake` is called when there is something to take; or only for first and last ones."""
        self._wake = wake
        self._only_last = only_last
        self._woken = False
        self._changed = threading.Condition()
        self._answers: deque[Answer] = deque()
        self._bytes = 0
        self._closed = False

    def put(self, answer: Answer) -> None:
        """Waits while there is no room: an upstream is asked no faster than answers are taken."""
        with self._changed:
            while self._is_full and not self._closed:
                self._wake()
                self._changed.wait()
            if not self._closed:
                self._answers.append(answer)
                if isinstance(answer[1], QueryResponse):
                    self._bytes += len(answer[1].identifier or b"")
                if self._only_last and self._woken:
                    if isinstance(answer[1], QueryResponse) and not answer[1].is_last:
                        return
                elif len(self._answers) > 1:
                    return
        self._woken = True
        self._wake()

    def take(self) -> list[Answer]:
        """All there are."""
        with self._changed:
            taken = list(self._answers)
            self._answers.clear()
            self._bytes = 0
            self._changed.notify_all()
        return taken

    @property
    def _is_full(self) -> bool:
        return len(self._answers) >= _MOST_UNREAD or self._bytes >= _MOST_UNREAD_BYTES

    def close(self) -> None:
        """Nobody takes any more: what comes is thrown away."""
        with self._changed:
            self._closed = True
            self._answers.clear()
            self._changed.notify_all()


class Asker(threading.Thread):
    """Asks one upstream and puts what it answers into the channel, a `Failed` or last one last.

    `ask` opens the association and sends the request.
    """

    def __init__(
        self,
        index: int,
        who: Upstream,
        channel: Channel,
        ask: Ask,
        silence: float,
    ) -> None:
        super().__init__(name=f"query-{who.name}", daemon=True)
        self.upstream = who
        self._index = index
        self._channel = channel
        self._ask = ask
        self._silence = silence
        self._lock = threading.Lock()
        self._association: Conversation | None = None
        self._inquiry: Inquiring | None = None
        self._cancelled_at: float | None = None
        self._interrupted = False
        self.heard = time.monotonic()  # when it last showed that it is at work

    def run(self) -> None:
        association: Conversation | None = None
        try:
            association, inquiry = self._ask()
            self._begun(association, inquiry)
            while True:
                response = self._next(inquiry)
                if response is None:
                    continue
                self._channel.put((self._index, response))
                self.touch()  # a requestor that takes its time is no silence of the upstream
                if response.is_last:
                    break
            association.release()
        except WireError as error:
            self._fail(association, str(error))
        except Exception as error:
            self._fail(association, f"the router failed ({type(error).__name__})")

    def cancel(self) -> None:
        """From any thread: send C-CANCEL, and give up when that is not answered in time."""
        with self._lock:
            if self._cancelled_at is None:
                self._cancelled_at = time.monotonic()
            if self._inquiry is not None:
                self._inquiry.cancel()

    def interrupt(self) -> None:
        """From any thread: end it at once."""
        with self._lock:
            self._interrupted = True
            if self._association is not None:
                self._association.interrupt()

    def touch(self) -> None:
        """It is at work, though it has not answered."""
        self.heard = time.monotonic()

    def _begun(self, association: Conversation, inquiry: Inquiring) -> None:
        with self._lock:
            self._association, self._inquiry = association, inquiry
            if self._cancelled_at is not None:
                inquiry.cancel()
            if self._interrupted:
                association.interrupt()
        self.heard = time.monotonic()

    def _next(self, inquiry: Inquiring) -> QueryResponse | None:
        until = self.heard + self._silence
        if self._cancelled_at is not None:
            until = min(until, self._cancelled_at + AFTER_CANCEL)
        response = inquiry.receive(max(until - time.monotonic(), 0.0))
        if response is not None:
            self.heard = time.monotonic()
        elif time.monotonic() >= until and self.heard + self._silence <= time.monotonic():
            raise PeerTimeout(f"it said nothing for {self._silence:g} s")
        elif self._cancelled_at is not None and time.monotonic() >= until:
            raise PeerTimeout("it did not end what was cancelled")
        return response

    def _fail(self, association: Conversation | None, reason: str) -> None:
        if association is not None:
            association.abort()
        self._channel.put((self._index, Failed(reason)))


def identifier_for(who: Upstream, identifier: Identifier) -> Identifier:
    """A query as this upstream is to read it: characters its set does not have match any."""
    if who.character_set is None or identifier.is_ascii:
        return identifier
    wanted = (who.character_set,)
    converted = identifier.in_character_set(wanted)
    if converted.character_set == wanted or converted.is_ascii:
        return converted
    return identifier
