"""Every cap and time-out of the wire in one place; seconds and bytes throughout."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

RECEIVE_BUFFER = 64 * KIB  # where an association's receive buffer starts
RECEIVE_BUFFER_MAXIMUM = 256 * KIB  # what it grows to while a data set is under way
PDU_SLACK = 1 * KIB  # peers that count PDU or PDV headers differently
CONTROL_PDU_MAXIMUM = 128 * KIB  # A-ASSOCIATE-AC; the other control PDUs are 4 bytes long
COMMAND_SET_MAXIMUM = 64 * KIB
IDENTIFIER_MAXIMUM = 1 * MIB  # data sets of messages other than C-STORE, kept in memory
EMPTY_FRAGMENTS_MAXIMUM = 1000  # PDVs without content in one message
SENT_PDU_MAXIMUM = 128 * KIB  # also to a peer that sets no limit: DCMTK's own maximum
FILE_WINDOW = 1 * MIB  # of a file being sent, in memory at once
DEFAULT_PEER_PDU = 16 * KIB  # of a peer that does not state its maximum (PS3.8 D.1.1)
SMALLEST_PEER_PDU = 8  # a PDV header and two bytes; less is no useful limit


@dataclass(frozen=True)
class Pace:
    """How slow a peer may be within a PDU or message, in either direction.

    `stall` seconds of waiting for the peer are allowed in all; each byte that moves earns
    1/`minimum_rate` of a second back. Time we spend ourselves (a slow disk) does not count.
    """

    stall: float = 60.0
    minimum_rate: float = 1000.0


@dataclass(frozen=True)
class AcceptorLimits:
    """What one listener allows.

    One association takes at most 0.6 MiB besides its thread and its negotiated contexts:
    the receive buffer (256 KiB), a command set (64 KiB), and what pynetdicom's objects take. A
    message of another service than C-STORE may add `identifier` while it is served. Connections
    that have not sent their request yet take `pending_bytes` together, however many they are.
    """

    maximum_associations: int = 100
    associations_per_address: int | None = None  # None: as many as there may be
    requests_per_minute: int = 30_000  # of one address
    maximum_pdu: int = 128 * KIB  # what we advertise; DCMTK sends no larger ones
    association_request: int = 128 * KIB
    presentation_contexts: int = 128
    command_set: int = COMMAND_SET_MAXIMUM
    identifier: int = IDENTIFIER_MAXIMUM
    pending_connections: int = 2000
    pending_bytes: int = 16 * MIB
    backlog: int = 512
    artim: float = 10.0  # for the whole A-ASSOCIATE-RQ, and for the peer to close after the end
    idle: float = 600.0  # between messages
    pace: Pace = Pace()


@dataclass(frozen=True)
class Timeouts:
    """How long a requestor waits: for TCP, for A-ASSOCIATE-AC and A-RELEASE-RP, for a response."""

    connect: float = 10.0
    association: float = 30.0
    response: float = 300.0
    pace: Pace = Pace()
