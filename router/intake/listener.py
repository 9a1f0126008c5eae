"""A listener's services to the wire: association by association, instance by instance."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.intake.admission import Admitted, admit
from router.intake.room import Room
from router.intake.session import StoreSession
from router.routing import HookFailed
from router.spool import IntakeRefusal
from router.wire import Rejection, Seldom

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.instance import Association
    from router.intake.queries import Queries
    from router.routing import Generation
    from router.spool import Spool
    from router.wire import AssociationRequest

    OpenQueries = Callable[[Admitted, Generation], Queries]

log = logging.getLogger("router.intake")

# PS3.8 table 9-21, result and source: for good or for now, by the service user
_REJECTED, _REJECTED_FOR_NOW, _NO_REASON_GIVEN = (1, 1), (2, 1), 1


class Listener:
    """A wire Service. Each association keeps the generation that was current when it began.

    `queries` gives what answers an association's queries and retrieves; without, nothing does.
    """

    def __init__(
        self,
        name: str,
        spool: Spool,
        current: Callable[[], Generation],
        queries: OpenQueries | None = None,
    ) -> None:
        self.name = name
        self._spool = spool
        self._current = current
        self._room = Room(spool.ledger)
        self._queries = queries
        self._seldom = Seldom()

    def open(self, request: AssociationRequest) -> Rejection | StoreSession:
        generation = self._current()
        admitted = admit(request, self.name, generation.config)
        if isinstance(admitted, Admitted):
            rejected = self._ask_plugins(generation, admitted.association)
            if rejected is None:
                queries = self._queries(admitted, generation) if self._queries else None
                return StoreSession(admitted, generation, self._spool, self._room, queries)
            admitted = rejected
        before = self._seldom.ask(f"{request.address} {request.calling_ae_title}")
        if before is not None:
            log.warning(
                "association.rejected listener=%s calling=%s called=%s address=%s reason=%s "
                "unsaid=%d",
                self.name, request.calling_ae_title, request.called_ae_title, request.address,
                admitted.text, before,
            )  # fmt: skip
        why = f"{admitted.text} (called {request.called_ae_title})"
        self._refused(request.calling_ae_title, request.address, why)
        return admitted

    def turned_away(self, address: str, why: str) -> None:
        self._refused("", address, why)

    def _refused(self, calling_ae_title: str, address: str, why: str) -> None:
        refusal = IntakeRefusal(datetime.now(UTC), self.name, calling_ae_title, address, "", 0, why)
        self._spool.ledger.refused(refusal)

    def _ask_plugins(self, generation: Generation, association: Association) -> Rejection | None:
        try:
            refusal = generation.listener_chains[self.name].accept_association(association)
        except HookFailed as failure:
            return Rejection(*_REJECTED_FOR_NOW, _NO_REASON_GIVEN, str(failure))
        return Rejection(*_REJECTED, _NO_REASON_GIVEN, refusal.reason) if refusal else None
