"""A listener's services to the wire: association by association, instance by instance."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from router.intake.admission import Admitted, admit
from router.intake.room import Room
from router.intake.session import StoreSession
from router.routing import HookFailed
from router.spool import IntakeRefusal
from router.wire import Census, Rejection, Seldom, quoted

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
_LIMIT_EXCEEDED = 2, 3, 2  # for now, by the service provider
_REJECTED, _REJECTED_FOR_NOW, _NO_REASON_GIVEN = (1, 1), (2, 1), 1


class Listener:
    """A wire Service. Each association keeps the generation that was current when it began.

    `queries` gives what answers an association's queries and retrieves; without, nothing does.
    `peers` counts the associations of each named peer, on whichever listener.
    """

    def __init__(
        self,
        name: str,
        spool: Spool,
        current: Callable[[], Generation],
        queries: OpenQueries | None = None,
        peers: Census | None = None,
    ) -> None:
        self.name = name
        self._spool = spool
        self._current = current
        self._room = Room(spool.ledger)
        self._queries = queries
        self._peers = peers or Census()
        self._seldom = Seldom()

    def open(self, request: AssociationRequest) -> Rejection | StoreSession:
        generation = self._current()
        admitted = admit(request, self.name, generation.config)
        if isinstance(admitted, Admitted):
            admitted = self._seated(admitted, generation)
        if isinstance(admitted, Admitted):
            queries = self._queries(admitted, generation) if self._queries else None
            return StoreSession(admitted, generation, self._spool, self._room, queries)
        before = self._seldom.ask(f"{request.address} {request.calling_ae_title}")
        if before is not None:
            log.warning(
                "association.rejected listener=%s calling=%s called=%s address=%s reason=%s "
                "unsaid=%d",
                quoted(self.name), quoted(request.calling_ae_title),
                quoted(request.called_ae_title), request.address, quoted(admitted.text), before,
            )  # fmt: skip
        why = f"{admitted.text} (called {request.called_ae_title})"
        self._refused(request.calling_ae_title, request.address, why)
        return admitted

    def _seated(self, admitted: Admitted, generation: Generation) -> Admitted | Rejection:
        """With what only those have who really begin: the plugins' consent and the peer's seat."""
        rejected = self._ask_plugins(generation, admitted.association)
        peer = admitted.association.peer
        if rejected or peer is None:
            return rejected or admitted
        if not self._peers.enter(peer, generation.config.peers[peer].maximum_associations):
            return Rejection(*_LIMIT_EXCEEDED, f"as many associations of {peer} as may be")
        return replace(admitted, left=partial(self._peers.leave, peer))

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
