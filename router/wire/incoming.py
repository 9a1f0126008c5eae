"""A C-STORE on its way in, on an association of either direction: into a sink, then answered."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from router import status
from router.wire import command as commands
from router.wire.service import Response, StoreRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.wire.association import Association
    from router.wire.command import CommandSet
    from router.wire.service import StoreSink

log = logging.getLogger("router.wire")


class IncomingStore:
    """One C-STORE-RQ's data set on its way into a sink."""

    def __init__(
        self,
        association: Association,
        command: CommandSet,
        context_id: int,
        sink: StoreSink | Response,
    ) -> None:
        self._association = association
        self._command = command
        self._context_id = context_id
        self._sink = sink

    def write(self, fragments: Sequence[memoryview]) -> None:
        if isinstance(self._sink, Response):
            return
        try:
            self._sink.write(fragments)
        except Exception as error:
            log.error("store.failed error=%s", where(error))
            self.abandon()

    def complete(self) -> None:
        sink, self._sink = self._sink, failure("the router failed")
        if isinstance(sink, Response):
            response = sink
        else:
            try:
                response = sink.finish()
            except Exception as error:
                log.error("store.failed error=%s", where(error))
                response = self._sink
        answer(self._association, self._context_id, self._command, response)

    def abandon(self) -> None:
        sink, self._sink = self._sink, failure("the router failed")
        if not isinstance(sink, Response):
            tell(sink.abandon)


def begin_store(
    association: Association,
    context_id: int,
    command: CommandSet,
    store: Callable[[StoreRequest], StoreSink | Response],
) -> IncomingStore | None:
    """Take a C-STORE-RQ: where its data set goes, None where there is none."""
    transfer_syntax = str(association._accepted_cx[context_id].transfer_syntax[0])
    request = commands.store_request(command, context_id, transfer_syntax)
    if not command.has_data_set:
        answer(association, context_id, command, failure("no data set"))
        return None
    return IncomingStore(association, command, context_id, _open_sink(request, store))


def _open_sink(
    request: StoreRequest, store: Callable[[StoreRequest], StoreSink | Response]
) -> StoreSink | Response:
    if not request.sop_class_uid or not request.sop_instance_uid:
        return failure("Affected SOP Class or Instance UID is missing")
    try:
        return store(request)
    except Exception as error:
        log.error("store.failed error=%s", where(error))
        return failure("the router failed")


def answer(
    association: Association, context_id: int, command: CommandSet, response: Response
) -> None:
    association.send_message(context_id, commands.encode_response(command, response))


def failure(why: str) -> Response:
    return Response(status.PROCESSING_FAILURE, why)


def tell(notification: Any, *arguments: Any) -> None:  # noqa: ANN401
    """Tell a service what it cannot change; that it fails is only logged."""
    try:
        notification(*arguments)
    except Exception as error:
        log.error("association.service_failed error=%s", where(error))


def where(error: BaseException) -> str:
    """Type, file and line: the text of an exception may quote the data set."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
