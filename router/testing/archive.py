"""A storage provider on loopback that answers what the test says."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Self

import pydicom

from router.dataset import encode_file_meta
from router.status import SUCCESS
from router.wire import Acceptor, Rejection, Response, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from router.wire import AssociationRequest, ContextOffer, Ending, StoreRequest

_REJECTED_FOR_NOW = Rejection(2, 1, 1, "the test says so")


@dataclass(frozen=True)
class Answer:
    """To one C-STORE: this status and Error Comment after so many seconds; or none, as all the
    archive's connections `drop`.
    """

    status: int = SUCCESS
    comment: str = ""
    after: float = 0.0
    drop: bool = False


@dataclass
class Archive:
    """Answers the instances to come with `script` one by one, and Success when that is used up.

    `received` are the data sets answered with Success; `rejects` has it reject associations.
    """

    ae_title: str = "ARCHIVE"
    script: deque[int | Answer] = field(default_factory=deque)
    rejects: bool = False
    received: list[Dataset] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._acceptor: Acceptor | None = None
        self._lock = threading.Lock()
        self.up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def destination(self) -> str:
        """Its settings as a destination, for a configuration."""
        return f"{{ae_title: {self.ae_title}, host: 127.0.0.1, port: {self.port}}}"

    def answer(self, *script: int | Answer) -> None:
        """Have the next instances answered so."""
        self.script.extend(script)

    def down(self) -> None:
        """Listen no more, and abort what is open."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor.drain(0)
            self._acceptor = None

    def up(self) -> None:
        """Listen, on the same port as before."""
        if self._acceptor is None:
            self._acceptor = Acceptor("127.0.0.1", self.port, self)
            self.port = self._acceptor.port
            self._acceptor.start()

    def open(self, request: AssociationRequest) -> Rejection | Session:
        return _REJECTED_FOR_NOW if self.rejects else _Association(self)

    def turned_away(self, address: str, why: str) -> None:
        """Nobody is told."""

    def take(self, request: StoreRequest, content: bytes) -> Response:
        with self._lock:
            told = self.script.popleft() if self.script else Answer()
        answer = Answer(told) if isinstance(told, int) else told
        time.sleep(answer.after)
        if answer.drop and self._acceptor is not None:
            for association in list(self._acceptor._live):
                association.stream.socket.shutdown(socket.SHUT_RDWR)
        elif answer.status == SUCCESS:
            meta = encode_file_meta(
                request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax
            )
            self.received.append(pydicom.dcmread(BytesIO(meta + content)))
        return Response(answer.status, answer.comment)


class _Association(Session):
    """Takes every context with the transfer syntax that is proposed first."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def answer(self, offer: ContextOffer) -> str | int:
        return offer.transfer_syntaxes[0]

    def store(self, request: StoreRequest) -> _Sink:
        return _Sink(self._archive, request)

    def ended(self, how: Ending) -> None:
        pass


class _Sink:
    def __init__(self, archive: Archive, request: StoreRequest) -> None:
        self._archive = archive
        self._request = request
        self._content = bytearray()

    def write(self, fragments: Sequence[memoryview]) -> None:
        for fragment in fragments:
            self._content += fragment

    def finish(self) -> Response:
        return self._archive.take(self._request, bytes(self._content))

    def abandon(self) -> None:
        pass
