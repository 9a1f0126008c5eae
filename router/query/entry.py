"""One `query_retrieve` entry at work for one association: its upstreams, hooks and settings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from router.config import DicomDestination, FolderDestination
from router.query.extended import BASELINE
from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, Identifier
from router.query.local import LocalUpstream, local_upstream
from router.query.merging import SOP_INSTANCE, STUDY
from router.query.sop_classes import MODALITY_WORKLIST
from router.query.upstream import upstream
from router.routing import Facts, HookFailed

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import QueryRetrieve
    from router.instance import Association, Query, Refusal
    from router.query.extended import Extended
    from router.query.upstream import Upstream
    from router.routing import Generation
    from router.spool import Indexes

_MOST_STUDIES = 50_000
_EMPTY = Identifier(b"", EXPLICIT_LITTLE_ENDIAN)


class Provenance:
    """Which upstreams had a study when they were asked for it; shared by all associations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: OrderedDict[str, frozenset[str]] = OrderedDict()

    def note(self, match: Identifier, upstream: str) -> None:
        study = match.text(STUDY)
        if study:
            with self._lock:
                owners = self._owners.pop(study, frozenset())
                self._owners[study] = owners | {upstream}
                if len(self._owners) > _MOST_STUDIES:
                    self._owners.popitem(last=False)

    def owners(self, study: str) -> frozenset[str]:
        """None that are known: empty."""
        with self._lock:
            return self._owners.get(study, frozenset())


class Entry:
    """Settings are those of the generation that the association began with."""

    def __init__(
        self,
        settings: QueryRetrieve,
        generation: Generation,
        association: Association,
        provenance: Provenance,
        directory: Path | None,
        indexes: Indexes,
        extended: Extended = BASELINE,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.deadline = settings.deadline
        self.limit = settings.limit
        self.partial = settings.partial
        self.association = association
        self.provenance = provenance
        self.directory = directory
        self.generation = generation
        self.has_chain = bool(settings.chain)
        self._chain = generation.query_chains[settings.name]
        self._extended = extended
        self.upstreams = [self._upstream(name, indexes) for name in settings.upstreams]

    def _upstream(self, name: str, indexes: Indexes) -> Upstream:
        destination, deadline = self.generation.config.destinations[name], self.deadline
        if isinstance(destination, FolderDestination):
            index = indexes.of(name, destination.directory)
            ours = self.association.called_ae_title
            return local_upstream(name, index, ours, deadline, self._extended)
        assert isinstance(destination, DicomDestination)
        return upstream(name, destination, self.association.calling_ae_title, deadline)

    def offering(self, sop_class_uid: str) -> list[Upstream]:
        """The upstreams that may be asked this; if none may, all, which say so."""
        if sop_class_uid != MODALITY_WORKLIST:
            return self.upstreams
        others = [who for who in self.upstreams if not isinstance(who, LocalUpstream)]
        return others or self.upstreams

    def asked(self, query: Query, identifier: Identifier) -> Refusal | Identifier:
        """What the plugins make of a query. Raises HookFailed; ValueError for what they wrote."""
        facts = self._facts(identifier)
        refusal: Refusal | None = self._chain.filter_query(query, facts)
        if refusal is not None:
            return refusal
        self._chain.rewrite_query(query, facts)
        self._query = query
        return identifier.of(query.identifier)

    def rewritten_match(self, match: Identifier) -> Identifier:
        """What the plugins make of a match; raises as `asked`."""
        if not self._chain.links:
            return match
        dataset = match.opened()
        self._chain.rewrite_match(self._query, dataset, self._facts(match))
        return match.of(dataset)

    def known_as(self, sop_instance_uid: str) -> str:
        """What the requestor knows an instance by; "" where the chain does not tell."""
        if not self.has_chain:
            return sop_instance_uid
        if not self._chain.called("rewrite_match", self._facts(_EMPTY)):
            return ""
        keys: dict[int, tuple[str, str] | None] = {
            0x00080018: ("UI", sop_instance_uid),
            0x00080052: ("CS", "IMAGE"),
        }
        try:
            return self.rewritten_match(_EMPTY.replaced(keys)).text(SOP_INSTANCE)
        except (HookFailed, ValueError):
            return ""

    def _facts(self, identifier: Identifier) -> Facts:
        return Facts(self.association, identifier.scan, datetime.now(UTC))
