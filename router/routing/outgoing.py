"""What plugins do at a destination: change what leaves, be told how it ended, be the way out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from router.instance import Hold, Unavailable
from router.routing.failures import HookFailed
from router.routing.worker import Outgoing
from router.spool.records import HeldCopy, Processed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.instance import Association, Delivery, Sender
    from router.routing.generation import Generation
    from router.routing.pool import WorkerPool
    from router.spool.records import CopyOutcome, DeliveryTask

# Given the delivery, a directory for new files and what allows it more time, in a worker process.
Conversion: TypeAlias = "Callable[[DeliveryTask, Path, Callable[[float], None]], CopyOutcome]"


class DestinationHooks:
    """The current generation's `rewrite_outgoing`, `delivery_ended` and `open_destination`.

    Rewriting runs in the worker processes, for the same reasons as a route's chain.
    """

    def __init__(
        self, pool: WorkerPool, workspaces: Path, current: Callable[[], Generation]
    ) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._current = current

    def rewrites(self, destination: str) -> bool:
        return bool(self._current().destination_chains[destination].links)

    def rewrite(self, task: DeliveryTask) -> DeliveryTask:
        """The delivery as its destination's chain makes it; `clean` it when it has been tried.

        Raises Hold where the chain fails, Unavailable where it could not be run.
        """
        generation = self._current()
        spec = generation.destination_chains[task.destination]
        destination = generation.destination(task.destination)
        outcome = self._pool.rewrite(spec, Outgoing(task, destination, self._workspace(task)))
        if isinstance(outcome, HeldCopy):
            where = f"{outcome.plugin} ({outcome.hook})"
            outcome = replace(outcome, reason=f"{where}: {outcome.reason}")
        return _changed(task, outcome)

    def convert(self, task: DeliveryTask, conversion: Conversion) -> DeliveryTask:
        """The delivery as the conversion, run in a worker process, makes it; as `rewrite`."""
        job = partial(conversion, task, self._workspace(task))
        return _changed(task, self._pool.run(job))

    def clean(self, task: DeliveryTask) -> None:
        shutil.rmtree(self._workspace(task), ignore_errors=True)

    def assumed_character_set(self, association: Association) -> str | None:
        return self._current().routes.character_sets.get(association.peer)

    def ended(self, delivery: Delivery) -> None:
        """Tell the destination's chain; its failures are logged."""
        chain = self._current().told_chains.get(delivery.destination)
        if chain is not None:
            chain.delivery_ended(delivery)

    def tells(self, destination: str) -> bool:
        return destination in self._current().told_chains

    def open(self, destination: str) -> Sender:
        """A sender of the destination's own type; raises Unavailable where it cannot be opened."""
        generation = self._current()
        try:
            chain = generation.destination_types[destination]
            return chain.open_destination(generation.destination(destination))
        except HookFailed as failure:
            raise Unavailable(failure.reason) from failure

    def _workspace(self, task: DeliveryTask) -> Path:
        return self._workspaces / str(task.delivery_id)


def _changed(task: DeliveryTask, outcome: CopyOutcome | None) -> DeliveryTask:
    match outcome:
        case Processed(segments=None):
            return task
        case Processed(segments=tuple(segments)):
            return replace(
                task,
                segments=segments,
                size=0,
                bulk=None,
                transfer_syntax=outcome.transfer_syntax,
                sop_class_uid=outcome.sop_class_uid,
                sop_instance_uid=outcome.sop_instance_uid,
                study_instance_uid=outcome.study_instance_uid,
                series_instance_uid=outcome.series_instance_uid,
            )
        case HeldCopy(retry_after=None):
            raise Hold(outcome.reason)
        case HeldCopy():
            raise Unavailable(outcome.reason)
        case _:
            raise Unavailable("no worker process could change it for its destination")
