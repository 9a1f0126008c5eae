"""Studies that are complete: found in the ledger, plugins told of them in the workers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from router.routing.rounds import Rounds, seconds_until
from router.spool.errors import SpoolFailed
from router.spool.records import HeldCopy
from router.spool.study_records import StudyOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.routing.generation import Generation
    from router.routing.pool import WorkerPool
    from router.routing.timing import PluginTimes
    from router.spool.ledger import Ledger
    from router.spool.study_records import StudyTask

log = logging.getLogger("router.routing")

_AT_MOST_EVERY = 0.2  # seconds between two looks into the ledger
_FIRST_RETRY, _LONGEST_RETRY = 10.0, 600.0  # seconds


class Completer(Rounds):
    """Has the current chain of a route told of its complete studies.

    The workers are its own: a hook that takes its time keeps no instance waiting.
    """

    def __init__(self, ledger: Ledger, pool: WorkerPool, current: Callable[[], Generation]) -> None:
        super().__init__(ledger, pool, "studies", "completer", _AT_MOST_EVERY)
        self._current = current

    @property
    def times(self) -> PluginTimes:
        """How long plugins took to be told."""
        return self._pool.times

    def start(self) -> None:
        self._ledger.begin_quiet().result()
        super().start()

    def _work(self) -> float:
        now = datetime.now(UTC)
        self._ledger.complete_studies(now)
        while self._pool.free and (tasks := self._ledger.claim_studies(1)):
            self._begin(tasks[0])
        return seconds_until(self._ledger.next_study(now))

    def _begin(self, task: StudyTask) -> None:
        self._begun(task.id)
        generation = self._current()
        follows = generation.studies.get(task.route)
        if task.route not in generation.route_chains:
            log.warning("study.untold route=%s: it is not in the configuration", task.route)
        if follows is None or not follows.told:
            self._finish(task, StudyOutcome(()))
            return
        spec = generation.route_chains[task.route]
        try:
            self._pool.tell(spec, task, lambda outcome: self._finish(task, outcome))
        except Exception:  # such as no process to be had
            self._finish(task, None)
            raise

    def _finish(self, task: StudyTask, outcome: StudyOutcome | HeldCopy | None) -> None:
        if outcome is None:  # it was not told for no fault of its own
            self._ledger.release_study_claims((task.id,))
            self._ended(task.id)
            return
        if isinstance(outcome, HeldCopy):
            outcome = StudyOutcome((), outcome)
        outcome = StudyOutcome((*task.told, *outcome.told), outcome.failure)
        retry_at = None
        if outcome.failure is not None:
            doubled = min(_FIRST_RETRY * 2.0 ** min(task.attempts, 10), _LONGEST_RETRY)
            wait = outcome.failure.retry_after or doubled
            retry_at = datetime.now(UTC) + timedelta(seconds=wait)
        _tell(task, outcome, retry_at)
        future = self._ledger.finish_study(task.id, outcome, retry_at)
        future.add_done_callback(lambda done: self._recorded(task, done.exception()))

    def _recorded(self, task: StudyTask, error: BaseException | None) -> None:
        if isinstance(error, SpoolFailed):  # nothing can be recorded before the next start
            self._stopping.set()
        elif error is not None:
            log.error("study.not_recorded route=%s reason=%s", task.route, error)
            self._ledger.release_study_claims((task.id,))
        self._ended(task.id)


def _tell(task: StudyTask, outcome: StudyOutcome, retry_at: datetime | None) -> None:
    fields = f"route={task.route} study={task.original_study_instance_uid}"
    failure = outcome.failure
    if failure is None:
        count = len(task.copies)
        log.info("study.complete %s late=%s instances=%d", fields, task.late, count)
        return
    log.error(
        "study.failed %s plugin=%s hook=%s reason=%s retry_at=%s",
        fields, failure.plugin, failure.hook, failure.reason, retry_at,
    )  # fmt: skip
