"""What an archive has of one study, instance by instance, asked while another one sends it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from router.query.client import Asked, encoded
from router.query.conversation import opened
from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, LEVEL, Identifier
from router.query.merging import PATIENT_ID, SERIES, SOP_INSTANCE, STUDY
from router.status import SUCCESS
from router.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from router.dataset import Attributes
    from router.query.conversation import Conversation
    from router.query.upstream import Upstream

log = logging.getLogger("router.query")

_LEVEL, _PATIENT_ID, _STUDY = "00080052", "00100020", "0020000D"
_SERIES, _SOP_INSTANCE = "0020000E", "00080018"
_MOST = 200_000  # series, or instances of one
_LONGEST_UID = 64


@dataclass(frozen=True)
class Scope:
    """What a retrieve names of one study; no series means all of it, no instances all of those."""

    level: str
    patient_id: str
    study: str
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()

    @classmethod
    def of(cls, identifier: Identifier) -> Scope | None:
        """None where it names no study or several, or lacks the unique keys above its level."""
        level, studies = identifier.text(LEVEL), identifier.texts(STUDY)
        series, instances = identifier.texts(SERIES), identifier.texts(SOP_INSTANCE)
        if len(studies) != 1:
            return None
        scope = cls(level, identifier.text(PATIENT_ID), studies[0])
        if level == "STUDY":
            return scope
        if level == "SERIES" and series:
            return replace(scope, series=series)
        if level == "IMAGE" and len(series) == 1 and instances:
            return replace(scope, series=series, instances=instances)
        return None


class Holdings(threading.Thread):
    """Asks one archive by C-FIND, from level to level as all of them can (PS3.4 C.4.1.3.1).

    `found` is then SOP Instance UIDs by series, or None where it did not say.
    """

    def __init__(
        self,
        who: Upstream,
        sop_class_uid: str,
        scope: Scope,
        silence: float,
        told: Callable[[], None],
    ) -> None:
        """`sop_class_uid` is that of the C-FIND; `silence`: seconds an answer may take; `told` is
        called at the end.
        """
        super().__init__(name=f"holdings-{who.name}", daemon=True)
        self._who = who
        self._sop_class_uid = sop_class_uid
        self._scope = scope
        self._silence = silence
        self._told = told
        self._lock = threading.Lock()
        self._association: Conversation | None = None
        self._interrupted = False
        self.found: dict[str, frozenset[str]] | None = None
        self.is_done = False

    def run(self) -> None:
        try:
            with opened(self._who, self._sop_class_uid, EXPLICIT_LITTLE_ENDIAN) as conversation:
                self._begun(conversation[0])
                self.found = self._held(conversation)
            conversation[0].release()
        except Exception as error:  # whatever it is, it is asked to send, and people hear of that
            why = error if isinstance(error, WireError) else type(error).__name__
            log.info("retrieve.holdings_unknown upstream=%s reason=%s", self._who.name, why)
        finally:
            self.is_done = True
            self._told()

    def interrupt(self) -> None:
        """From any thread: nobody wants to know any more."""
        with self._lock:
            self._interrupted = True
            if self._association is not None:
                self._association.interrupt()

    def _begun(self, association: Conversation) -> None:
        with self._lock:
            self._association = association
            if self._interrupted:
                association.interrupt()

    def _held(self, conversation: tuple[Conversation, int, str]) -> dict[str, frozenset[str]]:
        scope, study = self._scope, {_STUDY: [self._scope.study]}
        series = scope.series or self._uids(conversation, "SERIES", {**study, _SERIES: ()})
        found = {}
        for uid in series:
            keys = {**study, _SERIES: [uid], _SOP_INSTANCE: scope.instances}
            instances = self._uids(conversation, "IMAGE", keys)
            found[uid] = instances.intersection(scope.instances or instances)
        if not scope.series and not (found and all(found.values())):
            raise WireError("it has a study without series, or a series without instances")
        return found

    def _uids(
        self,
        conversation: tuple[Conversation, int, str],
        level: str,
        keys: Mapping[str, Sequence[str]],
    ) -> frozenset[str]:
        """What matches have in the last of the keys."""
        association, context_id, syntax = conversation
        wanted: Attributes = {tag: ("UI", list(uids)) for tag, uids in keys.items()}
        wanted[_LEVEL] = ("CS", [level])
        if self._scope.patient_id:
            wanted[_PATIENT_ID] = ("LO", [self._scope.patient_id])
        question = Identifier(encoded(wanted), EXPLICIT_LITTLE_ENDIAN).in_syntax(syntax).data
        asked = Asked(association.query("find", context_id, question), syntax, self._silence)
        *_, tag = keys
        found: set[str] = set()
        for match in asked.matches():
            found |= {uid for uid in match.get(tag, ("UI", []))[1] if 0 < len(uid) <= _LONGEST_UID}
            if len(found) > _MOST:
                raise WireError("it says that it has more than a study can have")
        if asked.final is None or asked.final.status != SUCCESS:
            raise WireError("it does not say what it has")
        return frozenset(found)
