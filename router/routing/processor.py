"""Copies that have a chain: claimed from the ledger, run in the workers, finished in the ledger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.routing.rounds import Rounds, seconds_until
from router.spool.errors import SpoolFailed
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.routing.pool import WorkerPool
    from router.routing.spec import ChainSpec
    from router.spool.ledger import Ledger
    from router.spool.records import CopyOutcome, CopyTask

log = logging.getLogger("router.routing")

_AFTER_TROUBLE = 1.0  # seconds before copies are taken again that came back unprocessed
_WHILE_FULL = 0.2  # seconds until the pool may have a place whose worker had to be killed


class Processor(Rounds):
    """Runs the chain of a copy's route; `lookup` gives it, None when the route is gone."""

    def __init__(
        self, ledger: Ledger, pool: WorkerPool, lookup: Callable[[CopyTask], ChainSpec | None]
    ) -> None:
        super().__init__(ledger, pool, "copies", "processor")
        self._lookup = lookup
        self._returned: set[int] = set()

    def stop(self, timeout: float) -> None:
        """Also leaves what came back unprocessed for a later start."""
        super().stop(timeout)
        with self._landed:
            self._ledger.release_copy_claims(self._returned)

    def _work(self) -> float:
        self._release_returned()
        free = self._pool.free
        tasks = self._ledger.claim_copies(free) if free else ()
        for task in tasks:
            self._begin(task)
        if tasks:
            return 0.0
        return seconds_until(self._ledger.next_due("copies")) if free else _WHILE_FULL

    def _release_returned(self) -> None:
        with self._landed:
            returned, self._returned = self._returned, set()
        if returned:
            self._stopping.wait(_AFTER_TROUBLE)
            self._ledger.release_copy_claims(returned)

    def _begin(self, task: CopyTask) -> None:
        self._begun(task.copy_id)
        try:
            self._hand_over(task)
        except Exception:  # such as no process to be had; the next copy is begun all the same
            log.exception("copy.not_begun route=%s", task.route)
            self._end(task, returned=True)

    def _hand_over(self, task: CopyTask) -> None:
        spec = self._lookup(task)
        if spec is None:
            gone = HeldCopy("its route is not in the configuration any more", "", "")
            self._finish(task, gone)
        elif not spec.links:
            self._finish(task, unchanged(task))
        else:
            self._pool.submit(spec, task, lambda outcome: self._finish(task, outcome))

    def _finish(self, task: CopyTask, outcome: CopyOutcome | None) -> None:
        if outcome is None:
            self._end(task, returned=True)
            return
        _tell(task, outcome)
        future = self._ledger.finish_copy(task.copy_id, outcome)
        future.add_done_callback(lambda done: self._recorded(task, done.exception()))

    def _recorded(self, task: CopyTask, error: BaseException | None) -> None:
        if isinstance(error, SpoolFailed):  # nothing can be recorded before the next start
            self._stopping.set()
        self._end(task, returned=error is not None)

    def _end(self, task: CopyTask, returned: bool) -> None:
        if returned:
            with self._landed:
                self._returned.add(task.copy_id)
        self._ended(task.copy_id)


def unchanged(task: CopyTask) -> Processed:
    """What a chain without plugins makes of a copy."""
    return Processed(
        segments=None,
        transfer_syntax=task.transfer_syntax,
        sop_class_uid=task.sop_class_uid,
        sop_instance_uid=task.sop_instance_uid,
        study_instance_uid=task.study_instance_uid,
        series_instance_uid=task.series_instance_uid,
        destinations=task.destinations,
    )


def _tell(task: CopyTask, outcome: CopyOutcome) -> None:
    fields = f"route={task.route} sop_instance_uid={task.sop_instance_uid}"
    match outcome:
        case HeldCopy():
            log.warning(
                "copy.held %s plugin=%s hook=%s reason=%s",
                fields,
                outcome.plugin,
                outcome.hook,
                outcome.reason,
            )
        case Skipped():
            log.info("copy.skipped %s plugin=%s reason=%s", fields, outcome.plugin, outcome.reason)
        case Processed():
            log.debug("copy.processed %s", fields)
