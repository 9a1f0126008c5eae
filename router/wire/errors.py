"""What can go wrong with an association we asked for, or one we serve."""


class WireError(Exception):
    """The base of what `router.wire` raises; its text names the peer's part, never a patient."""


class ConnectFailed(WireError):
    """No TCP connection: refused, unreachable, unknown name, or not made in time."""


class AssociationRejected(WireError):
    """The peer answered A-ASSOCIATE-RJ; the codes are PS3.8 table 9-21's."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        why = _REJECTIONS.get((source, reason), "no reason the standard knows")
        kind = "for now" if result == 2 else "for good"
        super().__init__(
            f"association rejected {kind}: {why} "
            f"(result {result}, source {source}, reason {reason})"
        )
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def transient(self) -> bool:
        """The peer says that asking again later may help."""
        return self.result == 2


class NoAcceptedContext(WireError):
    """The association was accepted, but none of its presentation contexts; it was aborted."""


class AssociationAborted(WireError):
    """An A-ABORT ended the association; `source` 0: service user, 2: provider (PS3.8 9.3.8)."""

    def __init__(self, text: str, source: int = 0, reason: int = 0) -> None:
        super().__init__(text)
        self.source = source
        self.reason = reason


class ProtocolViolation(AssociationAborted):
    """The peer broke the protocol and was answered A-ABORT, source 2, with this `reason`."""

    def __init__(self, text: str, reason: int) -> None:
        super().__init__(text, 2, reason)


class ConnectionLost(WireError):
    """The transport connection ended without a word of the association's end."""


class PeerTimeout(WireError):
    """The peer did not answer, stopped sending within a message, or stopped reading."""


class SourceUnreadable(WireError):
    """A data set to be sent is not in its file as described.

    `begun`: parts of it had been sent, so the association was aborted.
    """

    def __init__(self, text: str, *, begun: bool) -> None:
        super().__init__(text)
        self.begun = begun


_REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
