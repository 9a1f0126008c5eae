"""What answers queries and retrieves of all associations of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.query.entry import Provenance
from router.query.session import AssociationQueries
from router.status import UNRECOGNIZED_OPERATION
from router.wire import QueryResponse

if TYPE_CHECKING:
    from pathlib import Path

    from router.instance import Association
    from router.query.entry import Entry
    from router.query.identifier import Identifier
    from router.routing import Generation
    from router.wire import Exchange, QueryRequest


class QueryService:
    """`directory` is where results that are too long for memory are kept meanwhile."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self.provenance = Provenance()

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
        return QueryResponse(UNRECOGNIZED_OPERATION)
