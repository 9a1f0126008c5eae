"""A destination of type dicom: C-STORE over an association that is kept and used again."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from router.config import client_context
from router.dataset import scan_segments, to_implicit, uid_name
from router.delivery.ahead import Ahead
from router.delivery.proposal import Kind, propose
from router.delivery.receipt import NotReached, Receipt
from router.delivery.transcoding import (
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    Transcoding,
    forms,
)
from router.instance import Hold, Rejected, Unavailable
from router.status import Verdict, classify
from router.wire import (
    ConnectFailed,
    NoAcceptedContext,
    Peer,
    SourceUnreadable,
    Timeouts,
    WireError,
    connect,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.config import DicomDestination
    from router.delivery.ahead import Offer
    from router.delivery.outgoing import Hooks
    from router.delivery.receipt import Promise
    from router.spool import DeliveryTask
    from router.wire import OutgoingAssociation, Response

log = logging.getLogger("router.delivery")


class DicomSender:
    """One association at a time, opened with what waits and opened anew for what it lacks.

    `upcoming` tells the kinds of objects that wait, so that one negotiation serves them all.
    `move_originator` is the AE title and message ID of the C-MOVE that it sends for. With an
    `offer` it sends ahead of the answers, as far as the peer lets it, and returns promises.
    """

    def __init__(
        self,
        settings: DicomDestination,
        upcoming: Callable[[], Iterable[Kind]],
        hooks: Hooks,
        move_originator: tuple[str, int] | None = None,
        offer: Offer | None = None,
    ) -> None:
        self._settings = settings
        self._offer = offer
        self._move_originator = move_originator
        self._upcoming = upcoming
        self._hooks = hooks
        wanted = settings.transfer_syntaxes
        self._wanted = () if wanted == "as_is" else wanted
        self._association: OutgoingAssociation | None = None
        self._ahead: Ahead | None = None  # where the association's window is wider than one
        self._answered = False
        self._proposed: frozenset[Kind] = frozenset()
        self._calling_ae_title = ""

    def send(self, task: DeliveryTask) -> Receipt | Promise:
        """C-STORE; raises Unavailable or Rejected with the peer's status and Error Comment, and
        Hold for what cannot be turned into anything the peer takes.
        """
        kind = (task.sop_class_uid, task.transfer_syntax)
        calling = self._settings.calling_ae_title.format(
            calling_ae_title=task.association.calling_ae_title
        )
        association = self._associated(kind, calling)
        accepted = self._accepted_forms(association, task)
        if accepted[0] == task.transfer_syntax:
            return self._store(association, task)
        if (task.transfer_syntax, accepted[0]) == (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN):
            return self._store(association, self._without_vrs(task))
        try:
            leaving = self._transcoded(task, accepted)
            # An association that was idle meanwhile may be over.
            return self._store(self._associated(kind, calling), leaving, task)
        finally:
            self._hooks.clean(task)

    def _store(
        self,
        association: OutgoingAssociation,
        task: DeliveryTask,
        original: DeliveryTask | None = None,
    ) -> Receipt | Promise:
        """Send the task, which was made of the `original` that the trail is of."""
        context_id = association.context_for(task.sop_class_uid, task.transfer_syntax)
        if context_id is None:
            raise Unavailable(f"{self._settings.ae_title} does not accept now what it did just now")
        judge = partial(self._judge, original or task, task)
        if self._ahead is not None:
            return self._ahead.store(context_id, task, self._move_originator, judge)
        try:
            response = association.store(
                context_id,
                task.sop_class_uid,
                task.sop_instance_uid,
                task.segments,
                move_originator=self._move_originator,
            )
        except SourceUnreadable as error:
            self.close()
            raise Rejected(str(error)) from error
        except WireError as error:
            # Whether the last fragment arrived is not known: it is sent again (at least once).
            self._association = None
            association.abort()
            if self._offer is not None and not self._answered:
                self._offer.failed()
            raise Unavailable(str(error)) from error
        self._answered = True
        return judge(response)

    def close(self) -> None:
        """Raises NotReached where answers are outstanding and do not come."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.finish()
        association, self._association = self._association, None
        if association is not None and association.is_open:
            association.release()

    def _accepted_forms(
        self, association: OutgoingAssociation, task: DeliveryTask
    ) -> tuple[str, ...]:
        """The transfer syntaxes the peer takes this object in, best first."""
        possible = forms(task.transfer_syntax, self._wanted)
        accepted = [
            form
            for form in possible
            if association.context_for(task.sop_class_uid, form) is not None
        ]
        if not accepted:
            others = (
                f"{uid_name(what)} in {uid_name(form)}" for what, form in association.accepted
            )
            raise Rejected(
                f"{self._refusal(task.sop_class_uid, possible)}; it accepts {', '.join(others)}"
            )
        return tuple(accepted)

    def _refusal(self, sop_class_uid: str, possible: Iterable[str]) -> str:
        names = " or ".join(map(uid_name, possible))
        return f"{self._settings.ae_title} accepts no {uid_name(sop_class_uid)} in {names}"

    def _transcoded(self, task: DeliveryTask, accepted: tuple[str, ...]) -> DeliveryTask:
        try:
            return self._hooks.convert(task, Transcoding(accepted))
        except Hold as hold:
            names = " or ".join(map(uid_name, accepted))
            raise Hold(f"it cannot be sent as {names}: {hold.reason}") from None

    def _without_vrs(self, task: DeliveryTask) -> DeliveryTask:
        scan = scan_segments(task.segments, task.transfer_syntax, task.bulk)
        if scan.problem:
            raise Rejected(
                f"{self._settings.ae_title} takes it in Implicit VR Little Endian only, and it "
                "cannot be converted: its data set cannot be walked to its end"
            )
        segments = tuple(to_implicit(scan, task.segments))
        return replace(task, segments=segments, bulk=None, transfer_syntax=IMPLICIT_LITTLE_ENDIAN)

    def _judge(self, task: DeliveryTask, leaving: DeliveryTask, response: Response) -> Receipt:
        status, comment = response.status, response.error_comment
        verdict = classify(status)
        if verdict is Verdict.DESTINATION_FAILED:
            raise Unavailable(comment or "out of resources", status)
        if verdict is Verdict.OBJECT_REFUSED and status not in self._settings.delivered_statuses:
            raise Rejected(comment or "refused by the destination", status)
        return _told(Receipt(comment, status), task, leaving)

    def _associated(self, kind: Kind, calling_ae_title: str) -> OutgoingAssociation:
        """An open association on which this kind of object has been proposed."""
        association = self._association
        if association is not None and association.is_open:
            if kind in self._proposed and calling_ae_title == self._calling_ae_title:
                return association
            self.close()
        elif self._ahead is not None:
            self._ahead.end()
        kinds = [*sorted(self._upcoming()), *sorted(self._proposed)]
        self._association = self._connect(kind, kinds, calling_ae_title)
        return self._association

    def _connect(
        self, first: Kind, kinds: list[Kind], calling_ae_title: str
    ) -> OutgoingAssociation:
        settings = self._settings
        peer = peer_of(settings, calling_ae_title)
        waits = settings.timeouts
        timeouts = Timeouts(waits.connect, waits.association, waits.response)
        proposed, contexts = propose(first, kinds, self._wanted)
        window = self._offer.window if self._offer else 1
        try:
            association = connect(peer, contexts, timeouts=timeouts, window=window)
        except NoAcceptedContext as error:
            sop_class_uid, transfer_syntax = first
            possible = forms(transfer_syntax, self._wanted)
            raise Rejected(self._refusal(sop_class_uid, possible)) from error
        except WireError as error:
            if self._offer is not None and not isinstance(error, ConnectFailed):
                self._offer.failed()
            raise NotReached(str(error)) from error
        self._proposed, self._calling_ae_title = proposed, calling_ae_title
        self._answered = False
        if self._offer is not None:
            self._offer.granted(association.window)
        self._ahead = Ahead(association) if association.window > 1 else None
        log.info(
            "association.opened destination=%s@%s:%d calling=%s contexts=%d window=%d",
            peer.called_ae_title, peer.host, peer.port, calling_ae_title, len(contexts),
            association.window,
        )  # fmt: skip
        return association


def peer_of(settings: DicomDestination, calling_ae_title: str) -> Peer:
    """Whom to ask for a destination."""
    tls = settings.tls
    return Peer(
        settings.host,
        settings.port,
        settings.ae_title,
        calling_ae_title,
        client_context(tls) if tls else None,
        tls.asked_name if tls else None,
    )


def _told(receipt: Receipt, task: DeliveryTask, leaving: DeliveryTask) -> Receipt:
    """What the trail shall say of an object that was transcoded."""
    if leaving.transfer_syntax == task.transfer_syntax:
        return receipt
    text = f"sent as {uid_name(leaving.transfer_syntax)}"
    if leaving.sop_instance_uid != task.sop_instance_uid:
        text += f" with SOP Instance UID {leaving.sop_instance_uid}"
    return Receipt(f"{text}: {receipt}" if receipt else text, receipt.status)
