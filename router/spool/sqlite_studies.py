"""The ledger's part in studies that come together, see `gathering`."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from router.spool import complete_studies, gathering
from router.spool.codec import Paths, now_microseconds, optional_time, to_microseconds
from router.spool.schema import fetch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    import apsw

    from router.instance import Association
    from router.spool.records import Selection
    from router.spool.study_records import StudyOutcome, StudyTask
    from router.spool.transaction import Transaction
    from router.spool.writer import Writer


class SqliteStudies:
    """See `Ledger`."""

    _writer: Writer
    _paths: Paths

    def __init__(self) -> None:
        self._open_associations = gathering.OpenAssociations()
        self._claiming_studies = threading.Lock()
        self._claimed_studies: set[int] = set()

    def _read(self) -> AbstractContextManager[apsw.Connection]:
        raise NotImplementedError

    def association_began(self, association: Association) -> None:
        self._open_associations.began(association)
        self._writer.tally.note("associations", association.listener)

    def association_ended(self, association: Association) -> None:
        self._open_associations.ended(association)
        # through the writer, so that what it brought is there before anybody looks
        self._writer.submit(gathering.look, waited_for=False)

    def begin_quiet(self) -> Future[None]:
        return self._writer.submit(gathering.begin_anew)

    def complete_studies(self, now: datetime | None = None) -> int:
        time = now_microseconds(now)
        with self._read() as reader:
            quiet = fetch(reader, gathering.QUIET, {"now": time})
        end = partial(gathering.complete, now=time, is_open=self._open_associations.__contains__)
        operations = [partial(end, study=study) for (study,) in quiet]
        futures = [self._writer.submit(operation) for operation in operations]
        return sum(future.result() for future in futures)

    def claim_studies(self, limit: int, now: datetime | None = None) -> Sequence[StudyTask]:
        with self._claiming_studies, self._read() as reader:
            tasks = complete_studies.complete_studies(
                reader, now_microseconds(now), limit, self._claimed_studies, self._paths
            )
            self._claimed_studies.update(task.id for task in tasks)
        return tasks

    def finish_study(
        self, study: int, outcome: StudyOutcome, retry_at: datetime | None = None
    ) -> Future[None]:
        due = to_microseconds(retry_at or datetime.now(UTC))

        def operation(transaction: Transaction) -> None:
            gathering.finish(transaction, study, outcome, due)
            transaction.after_commit.append(lambda: self.release_study_claims((study,)))

        return self._writer.submit(operation)

    def release_study_claims(self, studies: Collection[int]) -> None:
        with self._claiming_studies:
            self._claimed_studies.difference_update(studies)

    def retry_studies(self, selection: Selection) -> Future[int]:
        return self._writer.submit(partial(gathering.retry, selection=selection))

    def give_up_studies(self, selection: Selection, reason: str) -> Future[int]:
        operation = partial(gathering.give_up, selection=selection, reason=reason)
        return self._writer.submit(operation)

    def next_study(self, now: datetime | None = None) -> datetime | None:
        with self._read() as reader:
            return optional_time(complete_studies.next_study(reader, now_microseconds(now)))
