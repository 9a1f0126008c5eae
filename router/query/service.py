"""What answers queries and retrieves of all associations of a node."""

from __future__ import annotations

import itertools
import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from router.config import DicomDestination
from router.query.asking import Asking
from router.query.counting import Tally
from router.query.direct import DirectMove
from router.query.entry import Provenance
from router.query.merging import PATIENT_ID, SERIES, SOP_INSTANCE, STUDY
from router.query.owners import owners
from router.query.retrieve import Retrieval
from router.query.sending import GetSender, Outgoing, move_sender
from router.query.session import AssociationQueries
from router.query.sharing import Sharing
from router.spool import Asked
from router.status import DATASET_MISMATCH
from router.wire import QueryResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.delivery import Hooks
    from router.instance import Association
    from router.query.asking import OpenReceiving
    from router.query.entry import Entry
    from router.query.identifier import Identifier
    from router.routing import Generation
    from router.spool import Indexes, Ledger, Retrieve
    from router.wire import Exchange, QueryRequest

log = logging.getLogger("router.query")

UNKNOWN_DESTINATION = 0xA801
_TOPIC = "destination:"


class QueryService:
    """`receive` takes what comes on associations of ours; `directory` is for results that are too
    long for memory.
    """

    def __init__(
        self,
        ledger: Ledger,
        hooks: Hooks,
        receive: OpenReceiving,
        indexes: Indexes,
        directory: Path | None = None,
    ) -> None:
        self._ledger = ledger
        self._hooks = hooks
        self._receive = receive
        self.indexes = indexes
        self.directory = directory
        self.provenance = Provenance()
        self._message_ids = itertools.cycle(range(1, 0x10000))
        self._lock = threading.Lock()
        self._wakers: dict[str, Callable[[], None]] = {}
        ledger.subscribe(self._told)

    def session(self, association: Association, generation: Generation) -> AssociationQueries:
        """What answers one association, by the generation it began with."""
        return AssociationQueries(self, association, generation)

    def retrieve(
        self,
        entry: Entry,
        request: QueryRequest,
        level: str,
        identifier: Identifier,
        exchange: Exchange,
    ) -> QueryResponse:
        """Answer a C-MOVE or C-GET."""
        name = ""
        if request.service == "move":
            name = _move_destination(entry, request.move_destination)
            if not name:
                comment = "This is no move destination for this peer"
                return QueryResponse(UNKNOWN_DESTINATION, comment)
        asked = _asked(level, identifier)
        if asked is None:
            return QueryResponse(DATASET_MISMATCH, "No unique key of the level")
        sop_class_uid = request.sop_class_uid
        found = owners(entry, sop_class_uid, identifier, exchange)
        with closing(
            Sharing(found, sop_class_uid, identifier, entry.deadline, exchange.wake)
        ) as sharing:
            if name and entry.settings.instances == "direct":
                return DirectMove(entry, request, sharing, exchange).run()
            return self._through(entry, request, name, asked, sharing, exchange)

    def _through(
        self,
        entry: Entry,
        request: QueryRequest,
        name: str,
        asked: Asked,
        sharing: Sharing,
        exchange: Exchange,
    ) -> QueryResponse:
        who = name or entry.association.calling_ae_title
        retrieve = self._ledger.open_retrieve(
            request.service, entry.name, who, entry.has_chain, asked
        )
        response = QueryResponse(0xC000, "the router failed")
        tally = Tally()
        try:
            outgoing = self._outgoing(entry, request, exchange, retrieve, tally, name)
            retrieval = Retrieval(
                entry, self._ledger, retrieve, outgoing, tally, exchange, sharing, inline=not name
            )
            self._wakers[retrieve.destination] = retrieval.look
            if not entry.has_chain and not (name and self._hooks.rewrites(name)):
                self._ledger.let_pass(retrieve, retrieval.wake)
            asking = Asking(
                request.sop_class_uid,
                retrieve,
                self._next_message_id,
                lambda who: self._receive(who, entry.generation, retrieve),
                entry.settings.listener,
                {} if name else exchange.accepted,
            )
            response = retrieval.run(asking, request.transfer_syntax)
        finally:
            self._wakers.pop(retrieve.destination, None)
            done = tally.completed + tally.warning
            self._ledger.close_retrieve(
                retrieve, response.status, done, len(tally.failed), response.error_comment
            )
        return response

    def _outgoing(
        self,
        entry: Entry,
        request: QueryRequest,
        exchange: Exchange,
        retrieve: Retrieve,
        tally: Tally,
        name: str,
    ) -> Outgoing:
        calling = entry.association.calling_ae_title
        if not name:
            timeout = entry.generation.config.listeners[entry.settings.listener].acknowledge_timeout
            sender = GetSender("REQUESTOR", exchange, timeout, self._hooks)
            return Outgoing(self._ledger, retrieve, sender, tally, calling)
        settings = entry.generation.config.destinations[name]
        assert isinstance(settings, DicomDestination)
        originator = (calling, request.message_id)
        to_destination = move_sender(
            settings, name, self._hooks, self._ledger, retrieve, originator
        )
        return Outgoing(self._ledger, retrieve, to_destination, tally, name)

    def _next_message_id(self) -> int:
        with self._lock:
            return next(self._message_ids)

    def _told(self, topics: set[str]) -> None:
        for topic in topics if self._wakers else ():
            wake = self._wakers.get(topic.removeprefix(_TOPIC))
            if wake is not None:
                wake()


def _move_destination(entry: Entry, ae_title: str) -> str:
    """The name of the destination of that AE title, "" where it is not in the list."""
    config = entry.generation.config
    peer = entry.association.peer
    allowed = config.peers[peer].move_destinations if peer else "all"
    for name in entry.settings.move_destinations:
        settings = config.destinations[name]
        if not isinstance(settings, DicomDestination) or settings.ae_title != ae_title:
            continue
        if allowed == "all" or name in allowed:
            return name
    return ""


def _asked(level: str, identifier: Identifier) -> Asked | None:
    """What arriving instances are told from others by; None without the level's own key."""
    keys = {
        "PATIENT": frozenset(identifier.texts(PATIENT_ID)),
        "STUDY": frozenset(identifier.texts(STUDY)),
        "SERIES": frozenset(identifier.texts(SERIES)),
        "IMAGE": frozenset(identifier.texts(SOP_INSTANCE)),
    }
    if not keys[level]:
        return None
    if level == "PATIENT":
        return Asked(patient_ids=keys["PATIENT"])
    return Asked(
        studies=keys["STUDY"],
        series=keys["SERIES"] if level in ("SERIES", "IMAGE") else frozenset(),
        instances=keys["IMAGE"] if level == "IMAGE" else frozenset(),
    )
