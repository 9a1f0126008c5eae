"""DICOM on the wire: pynetdicom's negotiation and state machine, our own way with the bytes."""

from router.wire.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectFailed,
    ConnectionLost,
    NoAcceptedContext,
    PeerTimeout,
    ProtocolViolation,
    SourceUnreadable,
    WireError,
)
from router.wire.limits import AcceptorLimits, Pace, Timeouts
from router.wire.service import (
    AssociationRequest,
    ContextOffer,
    Ending,
    Rejection,
    Response,
    Service,
    Session,
    StoreRequest,
    StoreSink,
)

__all__ = [
    "AcceptorLimits",
    "AssociationAborted",
    "AssociationRejected",
    "AssociationRequest",
    "ConnectFailed",
    "ConnectionLost",
    "ContextOffer",
    "Ending",
    "NoAcceptedContext",
    "Pace",
    "PeerTimeout",
    "ProtocolViolation",
    "Rejection",
    "Response",
    "Service",
    "Session",
    "SourceUnreadable",
    "StoreRequest",
    "StoreSink",
    "Timeouts",
    "WireError",
]
