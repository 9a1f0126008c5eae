"""A study that has gone quiet on a route, on its way to the plugins that are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from router.dataset import Segment
    from router.instance import Association
    from router.spool.records import HeldCopy, Stored


@dataclass(frozen=True, slots=True)
class StudyCopy:
    """A processed copy: `segments` is None when it leaves as it came."""

    stored: Stored
    received_transfer_syntax: str
    association: Association
    received: datetime
    segments: tuple[Segment, ...] | None
    transfer_syntax: str
    sop_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTask:
    """What a route has of a complete study; `late` when it had been complete before.

    `told` are those that were told already, `attempts` how often telling the others has failed.
    """

    id: int
    route: str
    original_study_instance_uid: str
    late: bool
    told: tuple[str, ...]
    attempts: int
    copies: tuple[StudyCopy, ...]


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """Who has been told by now, and what went wrong then, if anything."""

    told: tuple[str, ...]
    failure: HeldCopy | None = None
