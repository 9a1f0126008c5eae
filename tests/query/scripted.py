"""An upstream that does exactly what a test has it do, and a requestor that sees every response."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage

from router.dataset import FileRange, open_part10
from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, Identifier
from router.wire import (
    Acceptor,
    AcceptorLimits,
    ContextOffer,
    Exchange,
    Peer,
    QueryRequest,
    QueryResponse,
    Response,
    Session,
    SubOperations,
    Timeouts,
    connect,
)

ROOT = "1.2.840.10008.5.1.4.1.2.2"
FIND, MOVE, GET = f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3"

Script = Callable[[QueryRequest, Exchange], QueryResponse]


def encode(**elements) -> bytes:
    """An Identifier in Explicit VR Little Endian."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def decode(data: bytes) -> Dataset:
    return Identifier(data, EXPLICIT_LITTLE_ENDIAN).opened()


class Scripted(Session):
    """Service and session in one: `find`, `move` and `get` answer; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[QueryRequest] = []
        self.find: Script = lambda request, exchange: QueryResponse(0)
        self.move: Script = lambda request, exchange: QueryResponse(0)
        self._acceptor = Acceptor(
            "127.0.0.1", 0, self, AcceptorLimits(maximum_associations=1000, idle=60)
        )
        self._acceptor.start()
        self.port = self._acceptor.port

    def open(self, request) -> "Scripted":
        return self

    def turned_away(self, address: str, why: str) -> None:
        raise AssertionError(why)

    def answer(self, offer: ContextOffer) -> str | int:
        return offer.transfer_syntaxes[0]

    def query(self, request: QueryRequest, exchange: Exchange) -> QueryResponse:
        self.asked.append(request)
        return getattr(self, request.service)(request, exchange)

    def store(self, request) -> Response:
        return Response(0x0110)

    def ended(self, how: str) -> None: ...

    def close(self) -> None:
        self._acceptor.close()
        self._acceptor.drain(5)


def answering(*matches: dict, status: int = 0xFF00, final: int = 0) -> Script:
    """A script of a C-FIND: these matches, as elements by keyword, then the last response."""

    def find(request: QueryRequest, exchange: Exchange) -> QueryResponse:
        for match in matches:
            data = Identifier(encode(**match), EXPLICIT_LITTLE_ENDIAN)
            data = data.in_syntax(request.transfer_syntax).data
            exchange.send(QueryResponse(status, identifier=data))
        return QueryResponse(final)

    return find


def send(
    port: int,
    files: list[Path],
    originator: tuple[str, int] | None,
    calling: str = "PACS",
    called: str = "ROUTER",
) -> Iterator[int]:
    """C-STORE files to the router, as an archive that was asked to move them."""
    peer = Peer("127.0.0.1", port, called, calling)
    forms = dict.fromkeys(open_part10(path).transfer_syntax for path in files)
    association = connect(peer, [(CTImageStorage, [form]) for form in forms])
    try:
        for path in files:
            part10 = open_part10(path)
            context = association.context_for(part10.sop_class_uid, part10.transfer_syntax)
            data = FileRange(str(path), part10.dataset_offset, part10.length)
            uids = part10.sop_class_uid, part10.sop_instance_uid
            yield association.store(context, *uids, [data], move_originator=originator).status
    finally:
        association.release()


def moving(
    port: int,
    files: list[Path],
    *,
    says_originator: bool = True,
    parts: int = 1,
    until_cancelled: bool = False,
) -> Script:
    """A script of a C-MOVE: sends the files over `parts` associations, with a response for each.

    `until_cancelled`: half of them, and then it waits for a C-CANCEL.
    """

    def move(request: QueryRequest, exchange: Exchange) -> QueryResponse:
        originator = ("ROUTER", request.message_id) if says_originator else None
        done = failed = 0
        for part in range(parts):
            for status in send(port, files[part::parts], originator):
                done, failed = done + (status == 0), failed + (status != 0)
                left = len(files) - done - failed
                counts = SubOperations(left, done, failed, 0)
                exchange.send(QueryResponse(0xFF00, counts=counts))
                while until_cancelled and done * 2 == len(files) and not exchange.is_cancelled:
                    exchange.wait(20)
                if exchange.is_cancelled:
                    return QueryResponse(0xFE00, counts=counts)
        return QueryResponse(0xB000 if failed else 0, counts=SubOperations(None, done, failed, 0))

    return move


class Requestor:
    """Asks the router and keeps every response; `cancel_after` so many it sends a C-CANCEL."""

    def __init__(self, port: int, sop_class_uid: str, calling: str = "WS1") -> None:
        peer = Peer("127.0.0.1", port, "ROUTER", calling)
        contexts = [(sop_class_uid, [EXPLICIT_LITTLE_ENDIAN])]
        self.association = connect(peer, contexts, timeouts=Timeouts(10, 30, 60))
        (self._context,) = self.association.accepted.values()

    def ask(
        self, service: str, *, to: str = "", cancel_after: int | None = None, **keys
    ) -> list[QueryResponse]:
        inquiry = self.association.query(
            service, self._context, encode(**keys), move_destination=to
        )
        responses: list[QueryResponse] = []
        while not responses or not responses[-1].is_last:
            if cancel_after is not None and len(responses) >= cancel_after:
                inquiry.cancel()
            response = inquiry.receive(30)
            if response is not None:
                responses.append(response)
        return responses

    def close(self) -> None:
        self.association.release()


@contextlib.contextmanager
def asking(port: int, sop_class_uid: str, calling: str = "WS1") -> Iterator[Requestor]:
    requestor = Requestor(port, sop_class_uid, calling)
    try:
        yield requestor
    finally:
        requestor.close()


def move(port: int, study: str, calling: str = "WS1", **settings) -> list[QueryResponse]:
    """Every response to a C-MOVE of a study to WS1."""
    with asking(port, MOVE, calling) as requestor:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study}
        return requestor.ask("move", to="WS1", **settings, **keys)


def find(port: int, calling: str = "WS1", **keys) -> tuple[list[Dataset], QueryResponse]:
    """The matches of a C-FIND, and its last response."""
    with asking(port, FIND, calling) as requestor:
        *matches, last = requestor.ask("find", **keys)
    return [decode(match.identifier) for match in matches], last


def together(jobs: list[Callable[[], None]]) -> None:
    """All at once, each in a thread; raises the first that failed."""
    failures: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
