"""What the commands retrieve, written into a folder: from a C-GET, or as a store SCP."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from router.dataset import encode_file_meta
from router.files import safe_name
from router.status import OUT_OF_RESOURCES, SUCCESS
from router.wire import Acceptor, Rejection, Response, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from router.wire import AssociationRequest, ContextOffer, Ending, StoreRequest

_WRONG_TITLE = Rejection(1, 1, 7, "called AE title not recognized")
_STORAGE = "1.2.840.10008.5.1.4."
_VERIFICATION = "1.2.840.10008.1.1"
_NOT_OFFERED = 3  # abstract syntax not supported (PS3.8 table 9-18)


class Inbox:
    """A folder that instances are put into, as SOPInstanceUID.dcm. For any thread."""

    def __init__(self, directory: Path, told: Callable[[], None] = lambda: None) -> None:
        """`told` is called after each instance."""
        self.directory = directory
        self._told = told
        self._lock = threading.Lock()
        self.received = self.failed = 0

    def store(self, request: StoreRequest) -> _File:
        """Where one instance goes. Raises OSError."""
        return _File(self, request)

    def count(self, *, stored: bool) -> None:
        with self._lock:
            self.received += stored
            self.failed += not stored
        self._told()


class _File:
    """A StoreSink: whole under its name, or not there at all."""

    def __init__(self, inbox: Inbox, request: StoreRequest) -> None:
        self._inbox = inbox
        name = f"{safe_name(request.sop_instance_uid)}.dcm"
        self._path = inbox.directory / name
        self._temporary = inbox.directory / f".{name}.{os.getpid()}-{id(self):x}.part"
        self._file = self._temporary.open("xb")
        self._failure: OSError | None = None
        meta = encode_file_meta(
            request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax
        )
        self.write([memoryview(meta)])

    def write(self, fragments: Sequence[memoryview]) -> None:
        """What cannot be kept is only read: the answer is given when all has come."""
        try:
            if self._failure is None:
                self._file.writelines(fragments)
        except OSError as error:
            self._failure = error

    def finish(self) -> Response:
        try:
            self._file.close()
            if self._failure is not None:
                raise self._failure
            self._temporary.replace(self._path)
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            self._inbox.count(stored=False)
            return Response(OUT_OF_RESOURCES, error.strerror or "not written")
        self._inbox.count(stored=True)
        return Response(SUCCESS)

    def abandon(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)
        self._inbox.count(stored=False)


class Receiver:
    """A store SCP for what a C-MOVE brings, while the `with` lasts."""

    def __init__(self, inbox: Inbox, ae_title: str, bind: str, port: int) -> None:
        """Raises OSError where the port cannot be had."""
        self._inbox = inbox
        self._ae_title = ae_title
        self._acceptor = Acceptor(bind, port, self)
        self.port = self._acceptor.port

    def __enter__(self) -> Receiver:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._acceptor.close()
        self._acceptor.drain(0.0)

    def open(self, request: AssociationRequest) -> Rejection | Session:
        return _Taking(self._inbox) if request.called_ae_title == self._ae_title else _WRONG_TITLE

    def turned_away(self, address: str, why: str) -> None:
        """Nobody is told."""


class _Taking(Session):
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def answer(self, offer: ContextOffer) -> str | int:
        if offer.abstract_syntax.startswith((_STORAGE, _VERIFICATION)):
            return offer.transfer_syntaxes[0]
        return _NOT_OFFERED

    def store(self, request: StoreRequest) -> _File:
        return self._inbox.store(request)

    def ended(self, how: Ending) -> None:
        """Nothing is kept for an association."""
