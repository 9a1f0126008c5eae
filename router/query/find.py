"""C-FIND through the router: all upstreams asked at once, their matches one answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from router.query.conversation import opened
from router.query.identifier import Identifier
from router.query.merging import KEYS, Merger
from router.query.upstream import AFTER_CANCEL, Asker, Channel, Failed, identifier_for
from router.routing import HookFailed
from router.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS
from router.wire import QueryResponse

if TYPE_CHECKING:
    from router.query.conversation import Ask, Conversation, Inquiring
    from router.query.entry import Entry
    from router.query.upstream import Upstream
    from router.wire import Exchange

log = logging.getLogger("router.query")

PENDING, CANCELLED = 0xFF00, 0xFE00
_TOGETHER = 32  # matches to a write
_STEPS = "ScheduledProcedureStepSequence"
_STEP_ID = "ScheduledProcedureStepID"


class Find:
    """One C-FIND on its way: `run` answers it, in the requestor's thread."""

    def __init__(
        self,
        entry: Entry,
        sop_class_uid: str,
        level: str,
        original: Identifier,
        asked: Identifier,
        exchange: Exchange,
    ) -> None:
        """`original` is what the requestor sent, `asked` what plugins made of it."""
        self._entry = entry
        self._sop_class_uid = sop_class_uid
        self._level = level
        self._exchange = exchange
        self._syntax = asked.transfer_syntax
        self._wanted = original.character_set
        self._upstreams = entry.offering(sop_class_uid)
        self._merger: Merger | None = None
        self._injected_step = False
        if len(self._upstreams) > 1:
            issuers = [who.issuer_of_patient_id for who in self._upstreams]
            self._merger = Merger(level, issuers, entry.directory)
            asked = self._with_keys(asked)
        self._identifier = asked
        requested = original.scan.elements
        self._injected = tuple(tag for tag in asked.scan.elements if tag not in requested)
        self._channel = Channel(exchange.wake)
        self._sent = 0
        self._ready: list[QueryResponse] = []
        self._syntaxes: dict[int, str] = {}  # that upstreams answer in
        self._finals: dict[int, QueryResponse | Failed] = {}

    def run(self) -> QueryResponse:
        """The last response."""
        askers = [
            Asker(index, who, self._channel, self._asking(index, who), self._entry.deadline)
            for index, who in enumerate(self._upstreams)
        ]
        for asker in askers:
            asker.start()
        try:
            return self._answer(askers)
        finally:
            self._channel.close()
            for index, asker in enumerate(askers):
                if index not in self._finals:
                    asker.interrupt()
            if self._merger is not None:
                self._merger.close()

    def _asking(self, index: int, who: Upstream) -> Ask:
        def ask() -> tuple[Conversation, Inquiring]:
            with opened(who, self._sop_class_uid, self._syntax) as (
                association,
                context_id,
                syntax,
            ):
                self._syntaxes[index] = syntax
                asked = identifier_for(who, self._identifier).in_syntax(syntax)
                return association, association.query("find", context_id, asked.data)

        return ask

    def _answer(self, askers: list[Asker]) -> QueryResponse:
        deadline = time.monotonic() + self._entry.deadline
        ended: QueryResponse | None = None
        while len(self._finals) < len(askers):
            if self._exchange.is_over:
                break
            if ended is None:
                ended = self._ended_early()
                if ended is not None:
                    deadline = time.monotonic() + AFTER_CANCEL
                    for asker in askers:
                        asker.cancel()
            elif time.monotonic() >= deadline:
                break
            if self._merger is not None and ended is None and time.monotonic() >= deadline:
                break
            for index, response in self._channel.take():
                self._take(index, response, discard=ended is not None)
            self._flush()
            if len(self._finals) < len(askers):
                bounded = self._merger is not None or ended is not None
                left = deadline - time.monotonic() if bounded else 1.0
                self._exchange.wait(max(min(left, 1.0), 0.05))
        if ended is None:
            ended = self._ended_early()
        return ended or self._conclude()

    def _ended_early(self) -> QueryResponse | None:
        """Cancelled, or more matches than are allowed."""
        if self._exchange.is_cancelled:
            return QueryResponse(CANCELLED)
        found = self._merger.count if self._merger is not None else self._sent
        if found > self._entry.limit:
            return QueryResponse(
                OUT_OF_RESOURCES, f"More than {self._entry.limit} matches: narrow the query"
            )
        if self._merger is not None and self._merger.is_full:
            return QueryResponse(OUT_OF_RESOURCES, "Matches of too many bytes: narrow the query")
        return None

    def _take(self, index: int, response: QueryResponse | Failed, *, discard: bool) -> None:
        if isinstance(response, Failed) or response.is_last:
            self._finals[index] = response
        elif not discard and response.identifier is not None:
            match = self._readable(index, response.identifier)
            if match is None:
                return
            if self._merger is not None:
                if self._merger.count <= self._entry.limit and not self._merger.is_full:
                    self._merger.add(index, match, response.status)
            else:
                self._send(match, response.status)

    def _readable(self, index: int, data: bytes) -> Identifier | None:
        who = self._upstreams[index]
        try:
            match = Identifier(data, self._syntaxes.get(index, self._syntax))
            if self._merger is not None:
                self._entry.provenance.note(match, who.name)
            return match.in_syntax(self._syntax)
        except ValueError:
            log.warning("query.unreadable_match entry=%s upstream=%s", self._entry.name, who.name)
            return None

    def _send(self, match: Identifier, status: int) -> None:
        self._sent += 1
        if self._sent > self._entry.limit:
            return
        try:
            leaving = self._leaving(match)
        except (HookFailed, ValueError) as failure:
            why = str(failure) if isinstance(failure, HookFailed) else "it cannot be rewritten"
            log.error("query.match_withheld entry=%s reason=%s", self._entry.name, why)
            return
        self._ready.append(QueryResponse(status, identifier=leaving.data))
        if len(self._ready) >= _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if self._ready:
            ready, self._ready = self._ready, []
            self._exchange.send(*ready)

    def _leaving(self, match: Identifier) -> Identifier:
        match = self._entry.rewritten_match(match)
        if added := [tag for tag in self._injected if match.has(tag)]:
            match = match.replaced(dict.fromkeys(added))
        match = match.naming(self._entry.association.called_ae_title)
        if self._injected_step:
            match = match.edited(_without_step)
        return match.in_character_set(self._wanted) if self._wanted else match

    def _conclude(self) -> QueryResponse:
        """All have answered or the deadline has passed: matches that were held, then the last."""
        if self._merger is not None and not self._exchange.is_over:
            for match, status in self._merger.matches(self._syntax):
                if self._exchange.is_cancelled:
                    return QueryResponse(CANCELLED)
                self._send(match, status)
            self._flush()
        failures = [self._failure(index) for index in range(len(self._upstreams))]
        failed = [failure for failure in failures if failure]
        for failure in failed:
            log.warning(
                "query.upstream_failed entry=%s %s", self._entry.name, failure.error_comment
            )
        if not failed:
            return QueryResponse(SUCCESS)
        if len(failed) < len(failures) and self._entry.partial == "succeed":
            return QueryResponse(SUCCESS)
        return failed[0]

    def _failure(self, index: int) -> QueryResponse | None:
        name = self._upstreams[index].name
        final = self._finals.get(index)
        if isinstance(final, QueryResponse):
            if final.status == SUCCESS:
                return None
            said = "" if self._entry.has_chain else final.error_comment
            comment = f"{name}: {said}" if said else f"{name} failed (0x{final.status:04X})"
            if self._merger is not None or not 0xA700 <= final.status <= 0xCFFF:
                return QueryResponse(CANNOT_UNDERSTAND, comment)
            return QueryResponse(final.status, comment)
        reason = final.reason if final else f"no answer within {self._entry.deadline:g} s"
        return QueryResponse(CANNOT_UNDERSTAND, f"{name}: {reason}")

    def _with_keys(self, identifier: Identifier) -> Identifier:
        """The query with what tells matches apart, where it does not ask for that itself."""
        keys = KEYS[self._level].items()
        missing = {tag: (vr, "") for tag, (vr, _) in keys if not identifier.has(tag)}
        identifier = identifier.replaced(missing)
        if self._level != "WORKLIST":
            return identifier

        def add_step(dataset: Dataset) -> None:
            if _STEPS not in dataset:
                setattr(dataset, _STEPS, [Dataset()])
                setattr(dataset[_STEPS].value[0], _STEP_ID, "")
            elif dataset.get(_STEPS) and _STEP_ID not in dataset.get(_STEPS)[0]:
                setattr(dataset.get(_STEPS)[0], _STEP_ID, "")
                self._injected_step = True

        return identifier.edited(add_step)


def _without_step(dataset: Dataset) -> None:
    for step in dataset.get(_STEPS) or ():
        if _STEP_ID in step:
            delattr(step, _STEP_ID)
