"""The vocabulary: what a plugin is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from router import status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from logging import Logger
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

    from router.dataset import Scan, Segment


@dataclass(frozen=True)
class Source:
    """Where the bytes of a copy are, and how they read."""

    segments: tuple[Segment, ...]
    scan: Scan


@dataclass(frozen=True)
class Association:
    """Who sent, as the association said it; stored with every instance it brought."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    listener: str
    peer: str | None
    tls_subject: str | None
    user: str | None
    started: datetime


@dataclass(frozen=True)
class Skip:
    """This route does not want the instance: recorded, not delivered."""

    reason: str


@dataclass(frozen=True)
class Refusal:
    """The sender is told no: `status` is a DIMSE status, `reason` its Error Comment."""

    reason: str
    status: int = status.REFUSED_NOT_AUTHORISED


class Hold(Exception):  # noqa: N818 - a decision, not an error
    """Stop this copy and keep it for a person (or for `retry_after` seconds).

    `reason` is shown in logs and `status`: it must not name the patient. Of any other exception
    only its type, file and line are ever shown.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Unavailable(Exception):  # noqa: N818
    """A `Sender` cannot reach its destination: everything for it waits and is tried again."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Rejected(Exception):  # noqa: N818
    """A `Sender`'s destination will not have this object: a few more tries, then held."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Context:
    """A plugin's own place: its name, a durable directory nobody else writes to, its logger."""

    name: str
    directory: Path
    log: Logger


@dataclass(frozen=True)
class Destination:
    """What a hook may know of the destination it works for."""

    name: str
    type: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """How one delivery ended: `outcome` in the router's words, `status` the peer's where it gave one."""

    destination: str
    route: str
    sop_instance_uid: str
    study_instance_uid: str
    outcome: Literal["delivered", "held", "discarded"]
    status: int | None
    comment: str
    attempts: int


@dataclass(frozen=True)
class Study:
    """What a route has of a study that has gone quiet; `late` when it had been complete before."""

    study_instance_uid: str
    original_study_instance_uid: str
    route: str
    instances: Iterable[Instance]
    late: bool


@dataclass
class Query:
    """A C-FIND, C-MOVE or C-GET request on its way to the upstreams."""

    service: Literal["find", "move", "get", "worklist"]
    level: str
    identifier: Dataset
    association: Association
    move_destination: str | None


class Sender(Protocol):
    """A destination type's own way out, made by `open_destination`; used by one thread."""

    def send(self, instance: Instance) -> str:
        """Return, once the instance is safe there, what the trail shall say.

        Raises `Unavailable` where everything has to wait, `Rejected` where only this object does.
        """

    def close(self) -> None: ...


class Instance:
    """One route's own copy of a SOP instance; used by one thread at a time."""

    def __init__(
        self,
        source: Source,
        *,
        association: Association,
        route: str,
        received: datetime,
        workspace: Path | None = None,
        original: Source | None = None,
        notes: dict[str, Any] | None = None,
    ) -> None:
        raise NotImplementedError
