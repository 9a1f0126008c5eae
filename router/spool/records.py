"""What the ledger is told and what it gives out: every step of an instance's way as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from router.dataset import Bulk, Segment
    from router.instance import Association

InstanceState = Literal["pending", "planned", "held", "released", "discarded"]
CopyState = Literal["received", "processed", "skipped", "held", "discarded"]
DeliveryState = Literal["queued", "held", "delivered", "discarded", "suppressed"]
AttemptOutcome = Literal["delivered", "retry", "refused", "held", "discarded"]


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an accepted data set lies: `length` bytes of the file `path` from `offset` on.

    `path` is absolute. Several instances may share a file. `bulk` counts from the data set's
    first byte. `problem` says why the data set could not be walked to its end, if it could not.
    """

    path: str
    offset: int
    length: int
    bulk: tuple[Bulk, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedCopy:
    """What one route will make of an instance; copies are given in the order of the routes.

    Without a chain the copy is the instance as it came, and needs no processing. Copies of a
    higher `priority` are processed first. Destinations that are `full`, or that it `came_from`,
    get no delivery, which the trail says. With `study_quiet` seconds the study is followed until
    it is complete, and `together` its deliveries wait for that.
    """

    route: str
    destinations: tuple[str, ...]
    has_chain: bool
    priority: int = 0
    full: tuple[str, ...] = ()
    came_from: tuple[str, ...] = ()
    study_quiet: float | None = None
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An instance whose file has been synced and that is to be accepted.

    Without `copies` it either waits for a person (`held_reason`: no route wanted it) or is done.
    `received` is aware; `generation` is the configuration that planned the copies. `extent` is
    where its Part 10 begins in its file and its record ends. A `pending` one has no deliveries
    until every copy is processed; when one of them fails, all are discarded.
    """

    stored: Stored
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    accession_number: str
    digest: bytes | None
    association: Association
    received: datetime
    generation: int
    copies: tuple[PlannedCopy, ...]
    held_reason: str | None = None
    move_originator: tuple[str, int] | None = None
    extent: tuple[int, int] | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True)
class ReleasedInstance:
    """An instance no route wanted, released by a person: to be routed again and `plan`ned."""

    instance_id: int
    arrival: Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTask:
    """A copy whose chain is to be run; `attempts` is how often it has been held before."""

    copy_id: int
    instance_id: int
    route: str
    destinations: tuple[str, ...]
    attempts: int
    stored: Stored
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    association: Association
    received: datetime
    generation: int
    move_originator: tuple[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """The chain ran: the copy as it leaves and where it goes.

    `segments` is None when nothing was changed. `destinations` may name more than were planned.
    `notes` are kept for the trail, such as where a `store_instance` hook put the instance.
    """

    segments: tuple[Segment, ...] | None
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    destinations: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A plugin of the chain does not want the instance on this route."""

    reason: str
    plugin: str


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """The chain failed, or wants to wait: processed again after `retry_after` seconds, if given.

    `status` is what a sender that waits for it is answered, if a plugin says.
    """

    reason: str
    plugin: str
    hook: str
    retry_after: float | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sender that waits for it is answered: a DIMSE status and an Error Comment."""

    status: int
    comment: str = ""


CopyOutcome = Processed | Skipped | HeldCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTask:
    """One copy to be sent to one destination.

    The segments are the data set as it leaves. `bulk` and `problem` are the stored instance's
    and `bulk` is None for a changed copy. `attempts` counts from the last release, and
    `refusals` those of them in which the destination would not have this very object.
    """

    delivery_id: int
    instance_id: int
    destination: str
    route: str
    segments: tuple[Segment, ...]
    size: int
    bulk: tuple[Bulk, ...] | None
    problem: str | None
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    association: Association
    received: datetime
    first_queued: datetime
    attempts: int
    refusals: int
    move_originator: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a delivery: `status` and `comment` as the peer gave them, or what went wrong.

    `retry` says that the destination failed, `refused` that it would not have this object; either
    is due again at `retry_at`, without it at once. `destination` is where it was tried; it is kept
    if that was not the delivery's own, but one that stands in for it.
    """

    delivery_id: int
    time: datetime
    outcome: AttemptOutcome
    status: int | None = None
    comment: str = ""
    retry_at: datetime | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingStudy:
    """A study that deliveries wait of: how many, as far as was counted (`MOST_COUNTED`)."""

    study: int
    waiting: int


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who is to get the deliveries of another destination: its name, and who it is as a sender.

    It gets none of what came from it, and none of an instance that it gets or has got anyway.
    """

    destination: str
    ae_title: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class IntakeRefusal:
    """An instance or association we answered no to: the sender still has it and must send again.

    `sop_instance_uid` is empty for an association.
    """

    time: datetime
    listener: str
    calling_ae_title: str
    address: str
    sop_instance_uid: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting or held work is meant: everything that fits all that is given.

    `study_instance_uid` is the received or the outgoing one; `reason` is any part of the reason.
    Copies are selected by the destinations they were planned for.
    """

    destination: str | None = None
    study_instance_uid: str | None = None
    route: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Expirable:
    """A done instance whose files may go: its copies' workspaces, and its spool file
    unless that is `shared` with an instance that still needs it.
    """

    instance_id: int
    path: str
    shared: bool
    copy_ids: tuple[int, ...]
