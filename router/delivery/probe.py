"""Whether a destination that was dead is back: asked by C-ECHO, which burns no object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.delivery.dicom import peer_of
from router.delivery.receipt import NotReached
from router.wire import NoAcceptedContext, Timeouts, WireError, connect

if TYPE_CHECKING:
    from router.config import DicomDestination
    from router.spool import DeliveryTask

_VERIFICATION = "1.2.840.10008.1.1"
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def probe(settings: DicomDestination, task: DeliveryTask) -> None:
    """Ask the destination as `task` would be sent to it; raises NotReached.

    A peer that accepts associations but no Verification is up: not all storage SCPs offer it.
    """
    calling = settings.calling_ae_title.format(calling_ae_title=task.association.calling_ae_title)
    peer = peer_of(settings, calling)
    waits = settings.timeouts
    timeouts = Timeouts(waits.connect, waits.association, min(waits.association, waits.response))
    try:
        association = connect(peer, [(_VERIFICATION, [_IMPLICIT_LITTLE_ENDIAN])], timeouts=timeouts)
    except NoAcceptedContext:
        return
    except WireError as error:
        raise NotReached(str(error)) from error
    try:
        status = association.echo().status
    except ValueError:  # accepted in a transfer syntax that was not proposed: up all the same
        association.abort()
        return
    except WireError as error:
        association.abort()
        raise NotReached(f"C-ECHO: {error}") from error
    association.release()
    if status != 0:
        raise NotReached(f"C-ECHO was answered 0x{status:04X}")
