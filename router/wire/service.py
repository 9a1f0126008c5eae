"""What a listener gives the wire (`Service`, `Session`, `StoreSink`) and what the wire tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from router.status import UNRECOGNIZED_OPERATION
from router.wire.queries import QueryResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.wire.exchange import Exchange
    from router.wire.queries import QueryRequest
    from router.wire.secure import PeerCertificate

Ending = Literal["released", "aborted", "lost", "timeout"]


@dataclass(frozen=True)
class ContextOffer:
    """One proposed presentation context, its transfer syntaxes in the requestor's order.

    `scp_role`: the requestor would provide the service on it (PS3.7 D.3.3.4), as for a C-GET.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    scp_role: bool = False


@dataclass(frozen=True)
class UserIdentity:
    """Who the requestor says its user is, with a passcode (PS3.7 D.3.3.7, type 2)."""

    name: str
    passcode: bytes = field(repr=False)


@dataclass(frozen=True)
class AssociationRequest:
    """An A-ASSOCIATE-RQ. AE titles are as sent (bytes read as Latin-1) without padding.

    `maximum_pdu` is the requestor's, 0 if it sets no limit; `certificate` is the one it has shown.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    port: int
    contexts: tuple[ContextOffer, ...]
    implementation_class_uid: str
    implementation_version_name: str
    maximum_pdu: int
    certificate: PeerCertificate | None = None
    user: UserIdentity | None = None


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ: result, source and reason of PS3.8 table 9-21; `text` is for who logs it,
    which is the service.
    """

    result: int
    source: int
    reason: int
    text: str


@dataclass(frozen=True)
class Response:
    """A DIMSE response: its Status, and the Error Comment (0000,0902), cut to 64 characters."""

    status: int
    error_comment: str = ""


@dataclass(frozen=True)
class StoreRequest:
    """A C-STORE-RQ whose data set follows; `move_originator` is (AE title, message ID)."""

    message_id: int
    context_id: int
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    priority: int
    move_originator: tuple[str, int] | None


class Service(Protocol):
    """What a listener does with associations; called from many threads."""

    def open(self, request: AssociationRequest) -> Rejection | Session:
        """Take the association or reject it. Raising rejects it (2, 1, 1)."""

    def turned_away(self, address: str, why: str) -> None:
        """Somebody did not get as far as that; at most once a minute of each address."""


class Session(Protocol):
    """One association's; every call comes from that association's one thread."""

    def answer(self, offer: ContextOffer) -> str | int:
        """The transfer syntax accepted, or the result of PS3.8 table 9-18 (1 to 4).

        Raising rejects the association.
        """

    def store(self, request: StoreRequest) -> StoreSink | Response:
        """Where the data set goes; a `Response` refuses it: it is read, thrown away and answered.

        Raising is answered 0x0110.
        """

    def provides(self, offer: ContextOffer) -> bool:
        """Whether the requestor may provide the service that it proposes to."""
        return False

    def extended(self, sop_class_uid: str, asked: bytes) -> bytes | None:
        """The Service-class-application-information to answer (PS3.7 D.3.3.5); None for none."""
        return None

    def knows_user(self) -> bool:
        """Whether the user of the association was checked."""
        return False

    def query(self, request: QueryRequest, exchange: Exchange) -> QueryResponse:
        """Answer a C-FIND, C-GET or C-MOVE: pending responses through `exchange`, then the last.

        Raising is answered 0xC000, but for the `WireError` of the exchange.
        """
        return QueryResponse(UNRECOGNIZED_OPERATION)

    def ended(self, how: Ending) -> None:
        """The association is over; called once. "aborted" is by either side, for any reason."""


class StoreSink(Protocol):
    """One data set on its way in.

    Either `finish` or `abandon` is called, once. `write` raising abandons it: the rest is thrown
    away and 0x0110 answered. `finish` raising is answered 0x0110; it has to tidy up itself.
    """

    def write(self, fragments: Sequence[memoryview]) -> None:
        """The next bytes, in order. The views are valid only during the call."""

    def finish(self) -> Response:
        """All has arrived: the answer, once it is true."""

    def abandon(self) -> None:
        """It will not be finished: the association ended, or `write` raised."""
