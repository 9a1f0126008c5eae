"""A destination of type dicom: C-STORE over an association that is kept and used again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.dataset import scan_segments, to_implicit
from router.delivery.proposal import (
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    Kind,
    propose,
)
from router.delivery.receipt import NotReached, Receipt
from router.instance import Rejected, Unavailable
from router.status import Verdict, classify
from router.wire import NoAcceptedContext, Peer, SourceUnreadable, Timeouts, WireError, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from router.config import DicomDestination
    from router.dataset import Segment
    from router.spool import DeliveryTask
    from router.wire import OutgoingAssociation

log = logging.getLogger("router.delivery")


class DicomSender:
    """One association at a time, opened with what waits and opened anew for what it lacks.

    `upcoming` tells the kinds of objects that wait, so that one negotiation serves them all.
    """

    def __init__(self, settings: DicomDestination, upcoming: Callable[[], Iterable[Kind]]) -> None:
        self._settings = settings
        self._upcoming = upcoming
        self._association: OutgoingAssociation | None = None
        self._proposed: frozenset[Kind] = frozenset()
        self._calling_ae_title = ""

    def send(self, task: DeliveryTask) -> Receipt:
        """C-STORE; raises Unavailable or Rejected with the peer's status and Error Comment."""
        kind = (task.sop_class_uid, task.transfer_syntax)
        calling = self._settings.calling_ae_title.format(
            calling_ae_title=task.association.calling_ae_title
        )
        association = self._associated(kind, calling)
        context_id, segments = self._form(association, task)
        try:
            response = association.store(
                context_id, task.sop_class_uid, task.sop_instance_uid, segments
            )
        except SourceUnreadable as error:
            self.close()
            raise Rejected(str(error)) from error
        except WireError as error:
            # Whether the last fragment arrived is not known: it is sent again (at least once).
            self._association = None
            association.abort()
            raise Unavailable(str(error)) from error
        return self._judge(response.status, response.error_comment)

    def close(self) -> None:
        association, self._association = self._association, None
        if association is not None and association.is_open:
            association.release()

    def _form(
        self, association: OutgoingAssociation, task: DeliveryTask
    ) -> tuple[int, Sequence[Segment]]:
        """The context to send in, and the bytes: as they are, or without their VRs if need be."""
        context_id = association.context_for(task.sop_class_uid, task.transfer_syntax)
        if context_id is not None:
            return context_id, task.segments
        context_id = association.context_for(task.sop_class_uid, IMPLICIT_LITTLE_ENDIAN)
        if context_id is None or task.transfer_syntax != EXPLICIT_LITTLE_ENDIAN:
            kind = (task.sop_class_uid, task.transfer_syntax)
            raise Rejected(f"{self._settings.ae_title} accepts no {_words(kind)}")
        scan = scan_segments(task.segments, task.transfer_syntax, task.bulk)
        if scan.problem:
            raise Rejected(
                f"{self._settings.ae_title} takes it in Implicit VR Little Endian only, and it "
                "cannot be converted: its data set cannot be walked to its end"
            )
        return context_id, to_implicit(scan, task.segments)

    def _judge(self, status: int, comment: str) -> Receipt:
        verdict = classify(status)
        if verdict is Verdict.DESTINATION_FAILED:
            raise Unavailable(comment or "out of resources", status)
        if verdict is Verdict.OBJECT_REFUSED and status not in self._settings.delivered_statuses:
            raise Rejected(comment or "refused by the destination", status)
        return Receipt(comment, status)

    def _associated(self, kind: Kind, calling_ae_title: str) -> OutgoingAssociation:
        """An open association on which this kind of object has been proposed."""
        association = self._association
        if association is not None and association.is_open:
            if kind in self._proposed and calling_ae_title == self._calling_ae_title:
                return association
            self.close()
        kinds = frozenset({kind, *self._proposed, *self._upcoming()})
        self._association = self._connect(kind, kinds, calling_ae_title)
        return self._association

    def _connect(
        self, first: Kind, kinds: frozenset[Kind], calling_ae_title: str
    ) -> OutgoingAssociation:
        settings = self._settings
        peer = Peer(settings.host, settings.port, settings.ae_title, calling_ae_title)
        waits = settings.timeouts
        timeouts = Timeouts(waits.connect, waits.association, waits.response)
        proposed, contexts = propose(first, kinds)
        try:
            association = connect(peer, contexts, timeouts=timeouts)
        except NoAcceptedContext as error:
            raise Rejected(f"{settings.ae_title} accepts no {_words(first)}") from error
        except WireError as error:
            raise NotReached(str(error)) from error
        self._proposed, self._calling_ae_title = proposed, calling_ae_title
        log.info(
            "association.opened destination=%s@%s:%d calling=%s contexts=%d",
            peer.called_ae_title, peer.host, peer.port, calling_ae_title, len(contexts),
        )  # fmt: skip
        return association


def _words(kind: Kind) -> str:
    sop_class_uid, transfer_syntax = kind
    return f"object of SOP class {sop_class_uid} in transfer syntax {transfer_syntax}"
