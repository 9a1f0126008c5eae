"""Senders get the ledger's tasks; those that look inside an instance make it from one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from router.dataset import scan_segments
from router.instance import Instance, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.delivery.receipt import Promise
    from router.instance import Association, Delivery, Sender
    from router.spool import DeliveryTask
    from router.spool.records import CopyOutcome

Conversion: TypeAlias = "Callable[[DeliveryTask, Path, Callable[[float], None]], CopyOutcome]"


class TaskSender(Protocol):
    """What a lane sends through: a `Sender` that is given the task, not yet read, and says what
    the trail shall say. Raises as a `Sender` does, and Hold where the copy must wait for a person.

    What it answers with a promise is on its way; results are to be asked for before `close`.
    """

    def send(self, task: DeliveryTask) -> str | Promise: ...

    def close(self) -> None: ...


class Hooks(Protocol):
    """What a destination's plugins do; the node brings it, as routing is not ours to import."""

    def rewrites(self, destination: str) -> bool:
        """Whether its chain changes what leaves."""

    def rewrite(self, task: DeliveryTask) -> DeliveryTask:
        """The delivery as it leaves; raises Hold, or Unavailable where it has to be tried again."""

    def convert(self, task: DeliveryTask, conversion: Conversion) -> DeliveryTask:
        """The delivery as the conversion, run in a worker process, makes it; raises as `rewrite`.

        It is given the delivery, a directory for new files, and what allows it more seconds.
        """

    def clean(self, task: DeliveryTask) -> None:
        """What rewriting and converting have left is not needed any more."""

    def assumed_character_set(self, association: Association) -> str | None:
        """What the text of its sender is read by where a data set names no character set."""

    def tells(self, destination: str) -> bool:
        """Whether its chain wants to be told how deliveries end."""

    def ended(self, delivery: Delivery) -> None:
        """Tell it; raises nothing."""

    def open(self, destination: str) -> Sender:
        """A sender of the destination's own type; raises Unavailable."""


class RewritingSender:
    """A sender behind its destination's chain."""

    def __init__(self, sender: TaskSender, hooks: Hooks) -> None:
        self._sender = sender
        self._hooks = hooks

    def send(self, task: DeliveryTask) -> str | Promise:
        try:
            return self._sender.send(self._hooks.rewrite(task))
        finally:
            self._hooks.clean(task)

    def close(self) -> None:
        self._sender.close()


class PluginSender:
    """A destination type of a plugin's, given the instance its `Sender` was promised."""

    def __init__(self, sender: Sender, hooks: Hooks) -> None:
        self._sender = sender
        self._hooks = hooks

    def send(self, task: DeliveryTask) -> str:
        instance = instance_of(task, self._hooks)
        return str(self._sender.send(instance) or "")  # whatever a plugin returns

    def close(self) -> None:
        self._sender.close()


def instance_of(task: DeliveryTask, hooks: Hooks) -> Instance:
    """The copy as it leaves; only its header is read."""
    scan = scan_segments(task.segments, task.transfer_syntax, task.bulk)
    assumed = hooks.assumed_character_set(task.association)
    return Instance(
        Source(task.segments, scan.assuming(assumed)),
        association=task.association,
        route=task.route,
        received=task.received,
    )
