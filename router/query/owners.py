"""Which upstreams a retrieve is asked of: those that have the studies, where that can be known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.query.conversation import opened
from router.query.identifier import Identifier
from router.query.merging import PATIENT_ID, STUDY
from router.query.sop_classes import sibling
from router.query.upstream import Asker, Channel, Failed
from router.status import SUCCESS
from router.wire import QueryResponse

if TYPE_CHECKING:
    from router.query.conversation import Ask, Conversation, Inquiring
    from router.query.entry import Entry
    from router.query.upstream import Upstream
    from router.wire import Exchange

_LEVEL = 0x00080052
_PATIENT_ID = 0x00100020
_STUDY = 0x0020000D


@dataclass(frozen=True)
class Owners:
    """Upstreams that have what is asked for, and those that may: they did not say."""

    certain: list[Upstream]
    others: list[Upstream]

    @property
    def all(self) -> list[Upstream]:
        return self.certain + self.others


def owners(entry: Entry, sop_class_uid: str, identifier: Identifier, exchange: Exchange) -> Owners:
    """The upstreams that had a study when they were last queried; else those that say they do, or
    do not say.
    """
    upstreams, studies = entry.upstreams, identifier.texts(STUDY)
    if len(upstreams) < 2 or not studies:
        return Owners([], upstreams)
    known = [entry.provenance.owners(study) for study in studies]
    if all(known):
        names = frozenset().union(*known)
        if found := [who for who in upstreams if who.name in names]:
            return Owners(found, [])
    return _discover(entry, sibling(sop_class_uid, "find"), identifier, exchange)


def _discover(
    entry: Entry, sop_class_uid: str, identifier: Identifier, exchange: Exchange
) -> Owners:
    keys: dict[int, tuple[str, str] | None] = {
        _LEVEL: ("CS", "STUDY"),
        _STUDY: ("UI", "\\".join(identifier.texts(STUDY))),
    }
    if patient := identifier.text(PATIENT_ID):
        keys[_PATIENT_ID] = ("LO", patient)
    question = Identifier(b"", identifier.transfer_syntax).replaced(keys)
    channel = Channel(exchange.wake)
    askers = [
        Asker(index, who, channel, _asking(who, sop_class_uid, question), entry.deadline)
        for index, who in enumerate(entry.upstreams)
    ]
    for asker in askers:
        asker.start()
    having: set[int] = set()
    unsure: set[int] = set(range(len(askers)))
    answered: set[int] = set()
    deadline = time.monotonic() + entry.deadline
    try:
        while len(answered) < len(askers) and time.monotonic() < deadline:
            if exchange.is_over or exchange.is_cancelled:
                break
            for index, response in channel.take():
                if isinstance(response, Failed) or response.is_last:
                    answered.add(index)
                    if isinstance(response, QueryResponse) and response.status == SUCCESS:
                        unsure.discard(index)
                else:
                    having.add(index)
            if len(answered) < len(askers):
                exchange.wait(0.5)
    finally:
        channel.close()
        for index, asker in enumerate(askers):
            if index not in answered:
                asker.interrupt()
    known = [who for index, who in enumerate(entry.upstreams) if index in having]
    return Owners(known, [entry.upstreams[index] for index in sorted(unsure - having)])


def _asking(who: Upstream, sop_class_uid: str, question: Identifier) -> Ask:
    def ask() -> tuple[Conversation, Inquiring]:
        wanted = question.transfer_syntax
        with opened(who, sop_class_uid, wanted) as (association, context_id, syntax):
            asked = question.in_syntax(syntax).data
            return association, association.query("find", context_id, asked)

    return ask
