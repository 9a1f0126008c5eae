"""One association's queries and retrieves: who may ask what, and who answers it."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING

from router.instance import Query, Refusal
from router.query import extended
from router.query.answering import LEVELS
from router.query.entry import Entry
from router.query.extended import BASELINE
from router.query.find import Find
from router.query.identifier import LEVEL, Identifier
from router.query.sop_classes import SERVICES
from router.routing import HookFailed
from router.status import CANNOT_UNDERSTAND, DATASET_MISMATCH, REFUSED_NOT_AUTHORISED
from router.wire import QueryResponse, quoted

if TYPE_CHECKING:
    from router.config import QueryRetrieve
    from router.config.querying import QueryServiceName
    from router.instance import Association
    from router.query.extended import Extended
    from router.query.service import QueryService
    from router.routing import Generation
    from router.wire import Exchange, QueryRequest

log = logging.getLogger("router.query")


class AssociationQueries:
    """What a listener asks about queries and retrieves on one association."""

    def __init__(
        self, service: QueryService, association: Association, generation: Generation
    ) -> None:
        self._service = service
        self._association = association
        self._generation = generation
        entries = generation.config.query_retrieve
        self._extended: dict[str, Extended] = {}
        self._entries = [each for each in entries if self._is_accepted(each)]

    def answers(self, abstract_syntax: str) -> bool | None:
        service = SERVICES.get(abstract_syntax)
        return None if service is None else self._entry(service) is not None

    def retrieves(self) -> bool:
        return self._entry("get") is not None

    def extended(self, sop_class_uid: str, asked: bytes) -> bytes | None:
        service = SERVICES.get(sop_class_uid)
        entry = self._entry(service) if service else None
        if service is None or entry is None:
            return None
        answered = extended.answer(service, asked, entry, self._generation.config)
        if service == "find":
            self._extended[sop_class_uid] = extended.agreed(answered)
        return answered

    def query(self, request: QueryRequest, exchange: Exchange) -> QueryResponse:
        service = SERVICES.get(request.sop_class_uid)
        settings = self._entry(service) if service else None
        if service is None or settings is None or not _fits(request, service):
            return QueryResponse(REFUSED_NOT_AUTHORISED, "This peer may not ask this here")
        entry = Entry(
            settings,
            self._generation,
            self._association,
            self._service.provenance,
            self._service.directory,
            self._service.indexes,
            self._extended.get(request.sop_class_uid, BASELINE),
        )
        log.info(
            "query.asked entry=%s service=%s calling=%s upstreams=%s",
            quoted(entry.name), service, quoted(self._association.calling_ae_title),
            ",".join(settings.upstreams),
        )  # fmt: skip
        response = self._answer(request, exchange, entry, service)
        log.info(
            "query.answered entry=%s service=%s calling=%s status=0x%04X comment=%s",
            quoted(entry.name), service, quoted(self._association.calling_ae_title),
            response.status, quoted(response.error_comment),
        )  # fmt: skip
        return response

    def _answer(
        self, request: QueryRequest, exchange: Exchange, entry: Entry, service: QueryServiceName
    ) -> QueryResponse:
        identifier = Identifier(request.identifier, request.transfer_syntax)
        try:
            level = "WORKLIST" if service == "worklist" else identifier.text(LEVEL)
        except ValueError:
            return QueryResponse(CANNOT_UNDERSTAND, "The Identifier cannot be read")
        if service != "worklist" and level not in LEVELS:
            return QueryResponse(DATASET_MISMATCH, "No Query/Retrieve Level that is known")
        query = Query(
            service, level, identifier.opened(), self._association, request.move_destination or None
        )
        try:
            asked = entry.asked(query, identifier)
        except HookFailed as failure:
            return QueryResponse(CANNOT_UNDERSTAND, str(failure))
        except ValueError:
            return QueryResponse(CANNOT_UNDERSTAND, "The query cannot be rewritten")
        if isinstance(asked, Refusal):
            return QueryResponse(asked.status, asked.reason)
        if service in ("find", "worklist"):
            return Find(entry, request.sop_class_uid, level, identifier, asked, exchange).run()
        return self._service.retrieve(entry, request, level, asked, exchange)

    def _entry(self, service: QueryServiceName) -> QueryRetrieve | None:
        """The first that accepts this association and offers the service."""
        name = self._association.peer
        peer = self._generation.config.peers[name] if name else None
        if peer and "services" in peer.model_fields_set and service not in peer.services:
            return None
        return next((entry for entry in self._entries if service in entry.services), None)

    def _is_accepted(self, entry: QueryRetrieve) -> bool:
        who, accept = self._association, entry.accept
        if entry.listener != who.listener:
            return False
        address = ip_address(who.address.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return (
            any(address in network for network in accept.networks)
            and any(_matches(who.calling_ae_title, title) for title in accept.calling_ae_titles)
            and (
                accept.peers is None
                or (who.peer is not None and (accept.peers == "all" or who.peer in accept.peers))
            )
        )


def _fits(request: QueryRequest, service: QueryServiceName) -> bool:
    """Whether the message is of the service of its SOP class."""
    return request.service == ("find" if service == "worklist" else service)


def _matches(ae_title: str, pattern: str) -> bool:
    return fnmatchcase(ae_title, pattern.replace("[", "[[]"))
