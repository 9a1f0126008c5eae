"""A folder's local index as an upstream: it is asked as a PACS is, without an association."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.dataset import FileRange, open_part10, read_segments
from router.query.answering import LEVELS, UNIQUE_KEYS, Question, wanted
from router.query.failures import failed_list
from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, LEVEL, Identifier
from router.query.sop_classes import SERVICES
from router.query.upstream import Upstream
from router.status import CANNOT_UNDERSTAND, DATASET_MISMATCH, SUCCESS, Verdict, classify
from router.wire import (
    ConnectionLost,
    Peer,
    QueryResponse,
    Response,
    StoreRequest,
    SubOperations,
    Timeouts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.query.extended import Extended
    from router.spool import IndexedFile, IndexReader, LocalIndex
    from router.wire import StoreSink

log = logging.getLogger("router.query")

_PENDING, _PENDING_SOME_UNKNOWN, _CANCELLED = 0xFF00, 0xFF01, 0xFE00
_UNABLE, _SOME_FAILED = 0xA702, 0xB000
_ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class LocalUpstream(Upstream):
    """An index as who is asked."""

    index: LocalIndex
    extended: Extended

    def connect(
        self,
        sop_class_uid: str,
        transfer_syntax: str,
        stored: Iterable[tuple[str, list[str]]] = (),
    ) -> LocalConversation:
        return LocalConversation(
            self.index, self.peer.called_ae_title, sop_class_uid, self.extended
        )


def local_upstream(
    name: str, index: LocalIndex, ae_title: str, deadline: float, extended: Extended
) -> LocalUpstream:
    """`ae_title` is ours, by which it was asked."""
    return LocalUpstream(
        name=name,
        peer=Peer(_ADDRESS, 0, ae_title, ae_title),
        timeouts=Timeouts(deadline, deadline, deadline),
        retrieve="get",
        move_to="",
        store_ae_title=ae_title,
        address=_ADDRESS,
        issuer_of_patient_id=None,
        character_set=None,
        index=index,
        extended=extended,
    )


class LocalConversation:
    """In the place of an association; used by one thread, but `interrupt`."""

    address = _ADDRESS

    def __init__(
        self, index: LocalIndex, ae_title: str, sop_class_uid: str, extended: Extended
    ) -> None:
        self._index = index
        self._ae_title = ae_title
        self._sop_class_uid = sop_class_uid
        self._extended = extended
        self._reader: IndexReader | None = index.take_reader()
        self.is_interrupted = False

    def context_for(self, sop_class_uid: str, transfer_syntax: str) -> int | None:
        offered = (self._sop_class_uid, EXPLICIT_LITTLE_ENDIAN)
        is_offered = SERVICES.get(sop_class_uid) in ("find", "get")
        return 1 if is_offered and (sop_class_uid, transfer_syntax) == offered else None

    def query(
        self,
        service: str,
        context_id: int,
        identifier: bytes,
        *,
        move_destination: str = "",
        message_id: int | None = None,
        store: Callable[[StoreRequest], StoreSink | Response] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> LocalInquiry:
        assert self._reader is not None
        asked = Identifier(identifier, EXPLICIT_LITTLE_ENDIAN)
        level = asked.text(LEVEL)
        if not self._reader.is_whole:
            comment = "Index incomplete: run dicom-router index rebuild"
            return LocalInquiry(self, iter([QueryResponse(CANNOT_UNDERSTAND, comment)]), ended)
        keys = asked.attributes
        if level not in LEVELS or (store and not keys.get(UNIQUE_KEYS[level], ("", []))[1]):
            comment = "No unique key of the level"
            return LocalInquiry(self, iter([QueryResponse(DATASET_MISMATCH, comment)]), ended)
        if store is None:
            question = Question(level, keys, self._ae_title, self._extended)
            return LocalInquiry(self, _found(question, self._reader), ended)
        files = self._reader.files(wanted(level, keys))
        return LocalInquiry(self, _sent(self._index, files, store), ended)

    def release(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._index.give_back(reader)

    abort = release

    def interrupt(self) -> None:
        """From any thread."""
        self.is_interrupted = True


class LocalInquiry:
    """One C-FIND or C-GET under way: as that of the wire, but nothing is waited for."""

    def __init__(
        self,
        conversation: LocalConversation,
        responses: Iterator[QueryResponse | None],
        ended: Callable[[], None] | None,
    ) -> None:
        self._conversation = conversation
        self._responses = responses
        self._ended = ended
        self._is_cancelled = False

    def receive(self, timeout: float) -> QueryResponse | None:
        """The next response; `timeout` is not needed."""
        try:
            response = self._next()
        except BaseException:
            self._end()
            raise
        if response.is_last:
            self._end()
        return response

    def _next(self) -> QueryResponse:
        while not self._is_cancelled:
            if self._conversation.is_interrupted:
                raise ConnectionLost("the requestor has left")
            response = next(self._responses)
            if response is not None:
                return response
        return QueryResponse(_CANCELLED)

    def cancel(self) -> None:
        """From any thread."""
        self._is_cancelled = True

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


def _found(question: Question, reader: IndexReader) -> Iterator[QueryResponse | None]:
    status = _PENDING if question.is_all_known else _PENDING_SOME_UNKNOWN
    for answer in question.answers(reader):
        yield None if answer is None else QueryResponse(status, identifier=answer)
    yield QueryResponse(SUCCESS)


def _sent(
    index: LocalIndex,
    files: list[IndexedFile],
    store: Callable[[StoreRequest], StoreSink | Response],
) -> Iterator[QueryResponse]:
    failed: list[str] = []
    warnings = 0
    yield QueryResponse(_PENDING, counts=SubOperations(len(files), 0, 0, 0))
    for number, file in enumerate(files, 1):
        verdict = _send(index, file, number, store)
        if verdict is Verdict.DELIVERED_WITH_WARNING:
            warnings += 1
        elif verdict is not Verdict.DELIVERED:
            failed.append(file.sop_instance_uid)
        completed = number - warnings - len(failed)
        counts = SubOperations(len(files) - number, completed, len(failed), warnings)
        yield QueryResponse(_PENDING, counts=counts)
    counts = SubOperations(None, len(files) - warnings - len(failed), len(failed), warnings)
    if not failed:
        yield QueryResponse(SUCCESS, counts=counts)
        return
    status = _UNABLE if len(failed) == len(files) else _SOME_FAILED
    identifier = failed_list(failed, EXPLICIT_LITTLE_ENDIAN)
    yield QueryResponse(status, "", identifier, counts)


def _send(
    index: LocalIndex,
    file: IndexedFile,
    number: int,
    store: Callable[[StoreRequest], StoreSink | Response],
) -> Verdict:
    path = os.fsdecode(os.path.join(os.fsencode(index.directory), file.path))
    try:
        part10 = open_part10(path)
    except FileNotFoundError:
        index.forget(file.path)
        log.warning("index.file_gone sop_instance=%s", file.sop_instance_uid)
        return Verdict.OBJECT_REFUSED
    except (OSError, ValueError):
        log.warning("index.file_unreadable sop_instance=%s", file.sop_instance_uid)
        return Verdict.OBJECT_REFUSED
    if part10.sop_instance_uid != file.sop_instance_uid:
        log.warning("index.file_is_another sop_instance=%s", file.sop_instance_uid)
        return Verdict.OBJECT_REFUSED
    request = StoreRequest(
        message_id=(number - 1) % 0xFFFF + 1,
        context_id=1,
        transfer_syntax=part10.transfer_syntax,
        sop_class_uid=part10.sop_class_uid,
        sop_instance_uid=part10.sop_instance_uid,
        priority=0,
        move_originator=None,
    )
    sink = store(request)
    if isinstance(sink, Response):
        return classify(sink.status)
    try:
        for piece in read_segments([FileRange(path, part10.dataset_offset, part10.length)]):
            sink.write([memoryview(piece)])
    except BaseException:
        sink.abandon()
        raise
    return classify(sink.finish().status)
