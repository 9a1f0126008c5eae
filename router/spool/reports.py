"""What the ledger answers to people: what waits and why, and the trail of an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from router.instance import Association
    from router.spool.records import (
        Attempt,
        CopyState,
        DeliveryState,
        InstanceState,
        IntakeRefusal,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSummary:
    """How one destination stands. `queued` includes what is being sent (`sending`) and what
    waits for its next try; `studies_waiting`, `bytes_waiting` and `oldest` are of `queued`.

    `failing_since` is the first failed try since the last success; `last_status` and
    `last_comment` are the last failure's, kept while it is failing.
    """

    destination: str
    queued: int = 0
    sending: int = 0
    held: int = 0
    studies_waiting: int = 0
    bytes_waiting: int = 0
    oldest: datetime | None = None
    last_success: datetime | None = None
    failing_since: datetime | None = None
    last_status: int | None = None
    last_comment: str = ""
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The oldest delivery that waits for a destination, and whether that is failing; see
    `DestinationSummary`.
    """

    destination: str
    oldest: datetime
    failing_since: datetime | None
    last_status: int | None


@dataclass(frozen=True, slots=True)
class HeldCopies:
    """The copies of one route held for one reason."""

    route: str
    reason: str
    plugin: str
    hook: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class HeldInstances:
    """The instances no route wanted, held for one reason."""

    reason: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """What was refused alike at intake: `count` times, last at `last`."""

    listener: str
    calling_ae_title: str
    address: str
    status: int
    reason: str
    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class StudiesSummary:
    """The studies of a route that gather, or that are `complete` and `plugin` was not told of
    (because of `reason`, if it failed).
    """

    route: str
    state: Literal["gathering", "complete"]
    plugin: str
    reason: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `status` tells: destinations by name, refusals of the last 24 hours, what lies here.

    `instances` and `spool_bytes` are what files are kept of; `missing_files` counts instances
    that still have to go somewhere but whose file is gone; `failed` is why nothing is accepted.
    """

    destinations: tuple[DestinationSummary, ...]
    copies_waiting: int
    held_copies: tuple[HeldCopies, ...]
    held_instances: tuple[HeldInstances, ...]
    refusals: tuple[RefusalGroup, ...]
    instances: int
    spool_bytes: int
    missing_files: int
    failed: str | None
    studies: tuple[StudiesSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One delivery, copy or instance that waits or is held, since `since`, due at `due`."""

    kind: Literal["delivery", "copy", "instance"]
    id: int
    state: Literal["queued", "received", "held"]
    destinations: tuple[str, ...]
    route: str
    study_instance_uid: str
    sop_instance_uid: str
    size: int
    since: datetime
    due: datetime | None
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTrail:
    """What became of one route's copy; the UIDs are those it leaves with."""

    route: str
    state: CopyState
    destinations: tuple[str, ...]
    reason: str
    plugin: str
    hook: str
    sop_instance_uid: str
    study_instance_uid: str
    notes: tuple[str, ...]
    changed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTrail:
    """What became of one delivery, with every try.

    `suppressed`: not made, since an earlier route sends the same SOP Instance UID there. `note`
    says that a person had it made: moved from elsewhere, or resent.
    """

    destination: str
    route: str
    state: DeliveryState
    sop_instance_uid: str
    reason: str
    changed: datetime
    attempts: tuple[Attempt, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTrail:
    """An instance from its arrival on; `kept` while its file is.

    `planned` means that its copies tell; the other states are those of an instance that no route
    wanted. `changed`, here and below, is when it came into its state.
    """

    instance_id: int
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    association: Association
    received: datetime
    size: int
    state: InstanceState
    reason: str
    changed: datetime
    kept: bool
    copies: tuple[CopyTrail, ...]
    deliveries: tuple[DeliveryTrail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTrail:
    """What a route has of a study (by its received UID) since it was complete before, if it was.

    `gathering` until it is quiet, at `due` at the earliest; `complete` until every plugin has been
    told, again at `due` after `attempts` that failed; then `told`; `empty` if nothing of it was
    processed.
    """

    route: str
    study_instance_uid: str
    state: Literal["gathering", "complete", "told", "empty"]
    late: bool
    changed: datetime
    due: datetime
    attempts: int
    plugin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything known of what was asked for, oldest first; `truncated` when there is more.

    `refusals` are those of the SOP Instance UID that was asked for, `studies` those that its
    instances belong to, where a route waits for their being complete.
    """

    instances: tuple[InstanceTrail, ...]
    refusals: tuple[IntakeRefusal, ...]
    truncated: bool
    studies: tuple[StudyTrail, ...] = ()
