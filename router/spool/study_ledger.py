"""The ledger's part in studies that come together until they are complete, see `gathering`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from router.instance import Association
    from router.spool.records import Selection
    from router.spool.study_records import StudyOutcome, StudyTask


class StudyLedger(Protocol):
    """See `Ledger`, which this is a part of."""

    def association_began(self, association: Association) -> None:
        """As long as it is open, no study is complete that it brought some of."""

    def association_ended(self, association: Association) -> None:
        """It brings nothing more; to be called after all that it brought was given to `accept`."""

    def begin_quiet(self) -> Future[None]:
        """From now on things may arrive: no quiet has begun before."""

    def complete_studies(self, now: datetime | None = None) -> int:
        """End the gathering of studies of which nothing more arrives and every copy is decided,
        and let their deliveries go; how many.
        """

    def claim_studies(self, limit: int, now: datetime | None = None) -> Sequence[StudyTask]:
        """Complete studies that plugins are to be told of; nobody else gets them until they are
        finished or given back.
        """

    def finish_study(
        self, study: int, outcome: StudyOutcome, retry_at: datetime | None = None
    ) -> Future[None]:
        """Record who was told of a claimed study, and when the others are tried again."""

    def release_study_claims(self, studies: Collection[int]) -> None:
        """Give claimed studies back."""

    def retry_studies(self, selection: Selection) -> Future[int]:
        """Have plugins told now of complete studies, selected by route, study and reason."""

    def give_up_studies(self, selection: Selection, reason: str) -> Future[int]:
        """Tell nobody more of these complete studies."""

    def next_study(self, now: datetime | None = None) -> datetime | None:
        """When there is something to do about studies that time alone brings."""
