"""DICOM on the wire: pynetdicom's negotiation and state machine, our own way with the bytes."""

import logging
import warnings

from pynetdicom import _config

from router.wire.acceptor import Acceptor
from router.wire.census import Census
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
from router.wire.exchange import Exchange
from router.wire.inquiry import Inquiry
from router.wire.limits import AcceptorLimits, Pace, Timeouts
from router.wire.queries import QueryRequest, QueryResponse, SubOperations
from router.wire.quoting import quoted
from router.wire.requestor import OutgoingAssociation, Peer, connect
from router.wire.secure import PeerCertificate
from router.wire.seldom import Seldom
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
    UserIdentity,
)
from router.wire.window import WINDOW

__all__ = [
    "WINDOW",
    "Acceptor",
    "AcceptorLimits",
    "AssociationAborted",
    "AssociationRejected",
    "AssociationRequest",
    "Census",
    "ConnectFailed",
    "ConnectionLost",
    "ContextOffer",
    "Ending",
    "Exchange",
    "Inquiry",
    "NoAcceptedContext",
    "OutgoingAssociation",
    "Pace",
    "Peer",
    "PeerCertificate",
    "PeerTimeout",
    "ProtocolViolation",
    "QueryRequest",
    "QueryResponse",
    "Rejection",
    "Response",
    "Seldom",
    "Service",
    "Session",
    "SourceUnreadable",
    "StoreRequest",
    "StoreSink",
    "SubOperations",
    "Timeouts",
    "UserIdentity",
    "WireError",
    "connect",
    "quoted",
]

# pynetdicom's switches are the process's, so they are set once, here. Its event logging takes a
# lock of all associations for every PDU; its own log lines may quote what a peer sent.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
# pydicom warns of each odd value with its text, and Python remembers every warning for ever.
warnings.filterwarnings("ignore", module=r"py(net)?dicom\.")
