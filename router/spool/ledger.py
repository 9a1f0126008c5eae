"""The ledger: the durable record of what was accepted, where it has to go and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from router.spool.study_ledger import StudyLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from router.config.model import DestinationConfig
    from router.spool.records import (
        Arrival,
        Attempt,
        CopyOutcome,
        CopyTask,
        DeliveryTask,
        Expirable,
        IntakeRefusal,
        Outcome,
        PlannedCopy,
        ReleasedInstance,
        Selection,
        StandIn,
        WaitingStudy,
    )
    from router.spool.reports import QueueRow, Summary, Trail, Waiting
    from router.spool.retrieves import (
        Asked,
        Expected,
        Originator,
        Retrieve,
        RetrieveState,
        Which,
    )
    from router.spool.tally import Key
    from router.spool.transit import Passed, Transit


class Ledger(StudyLedger, Protocol):
    """A future's result means durable; that of what nobody waits for (accepting an instance that
    is durable in its file, tries at deliveries, what chains made) that it will be in a moment, and
    is done again after a power cut before that. Writes raise, through their future, `SpoolFull`
    (nothing changed, may be tried again) or `SpoolFailed` (no more until restart).

    Reads never wait for writes. Every method may be called from any thread.

    Claims belong to the process: what it had claimed when it ended is claimed again. When
    finishing fails the claim stays: finish again later, or give it back.
    """

    def accept(self, arrival: Arrival, waited_for: bool = True) -> Future[int]:
        """Record an instance with its copies and first deliveries; its file must be synced. The
        result is the instance's id. Not `waited_for`, it comes a little later, with others.
        """

    def outcome(self, instance_id: int, required: Collection[str]) -> Future[Outcome]:
        """What the sender of an instance is to be told: how its processing ended, or the worst of
        what the `required` destinations that it goes to answered. Cancel it to wait no longer.
        """

    def refused(self, refusal: IntakeRefusal) -> None:
        """Remember for `summary` what was refused; dropped rather than waited for."""

    def write_refusals_again(self) -> None:
        """Try once more what there was no space for; to be called now and then."""

    def claim_copies(self, limit: int, now: datetime | None = None) -> Sequence[CopyTask]:
        """Copies to be processed, in arrival order; nobody else gets them until they are
        finished or given back. Held ones are claimed again once their `retry_after` is over.
        """

    def finish_copy(self, copy_id: int, outcome: CopyOutcome) -> Future[None]:
        """Record what the chain made of a claimed copy and make the deliveries it allows.

        A copy that was held or discarded by a person meanwhile stays so.
        """

    def release_copy_claims(self, copy_ids: Collection[int]) -> None:
        """Give claimed copies back unprocessed."""

    def claim(
        self, destination: str, limit: int, now: datetime | None = None
    ) -> Sequence[DeliveryTask]:
        """Deliveries to be sent, those put first first, then study by study as they arrived.

        Nobody else gets them until they are finished or given back. A paused destination has none.
        """

    def claim_study(
        self,
        destination: str,
        limit: int,
        choose: Callable[[Sequence[WaitingStudy]], int | None],
        stand_in: StandIn | None = None,
    ) -> Sequence[DeliveryTask]:
        """Like `claim`, of the study that is chosen from those that wait, in order of arrival.

        Costs the same however much waits. `stand_in` says who will get them in its stead.
        """

    def claim_overdue(
        self, destination: str, before: datetime, limit: int
    ) -> Sequence[DeliveryTask]:
        """Deliveries that were queued before then and could be sent, to be held."""

    def is_withdrawn(self, delivery_id: int) -> bool:
        """Whether a claimed one was held, discarded or moved since: give it back. Costs nothing."""

    def waiting_kinds(self, destination: str) -> set[tuple[str, str]]:
        """The (SOP class, transfer syntax) UIDs of what is to be sent next."""

    def finish(self, attempts: Sequence[Attempt]) -> Future[None]:
        """Record tries at claimed deliveries. `delivered` is always believed; otherwise a
        delivery that was held or discarded meanwhile stays so.
        """

    def release_claims(self, delivery_ids: Collection[int]) -> None:
        """Give claimed deliveries back unsent: no attempt is recorded."""

    def next_due(self, topic: str) -> datetime | None:
        """When the next unclaimed try of "copies" or "destination:NAME" is due, if any waits."""

    def subscribe(self, callback: Callable[[set[str]], None]) -> None:
        """Call back after commits, on the ledger's own thread, with where something is to do:
        "copies", "destination:NAME", "instances" (released ones), "studies"; or "full:NAME", which
        went without a delivery. Must be quick.
        """

    def claim_released(self, limit: int) -> Sequence[ReleasedInstance]:
        """Released instances that wait to be routed again."""

    def plan(
        self,
        instance_id: int,
        generation: int,
        copies: Sequence[PlannedCopy],
        held_reason: str | None = None,
    ) -> Future[None]:
        """Route a released instance anew, or hold it again."""

    def hold(self, selection: Selection, reason: str) -> Future[int]:
        """Keep what waits from being processed or sent; the result counts what was changed."""

    def release(self, selection: Selection) -> Future[int]:
        """Let what is held go on: copies are processed again, deliveries queued with their
        attempts forgotten, instances reported to subscribers to be routed again.
        """

    def retry(self, selection: Selection) -> Future[int]:
        """What waits for its next try is due now."""

    def first(self, selection: Selection) -> Future[int]:
        """Queued deliveries are sent before all others."""

    def discard(self, selection: Selection, reason: str) -> Future[int]:
        """End what waits or is held, with a reason. Selected by destination, a copy for
        several destinations is left alone.
        """

    def move(self, selection: Selection, to: str) -> Future[int]:
        """Make the selected deliveries to another destination; what goes there anyway ends, what
        came from there stays.
        """

    def resend(self, to: str, selection: Selection, since: datetime | None) -> Future[int]:
        """Make new deliveries of instances whose files are still here, those selected that came
        `since`: of each the copy that was for `to` already, or else the first route's; none to who
        sent it, which the trail says. `reason` does not select. Not while files are removed.
        """

    def hold_copies_of_unknown_routes(self, known: Collection[str]) -> Future[int]:
        """Hold unprocessed copies whose route is not in the configuration any more."""

    def newest_instance(self) -> Future[int]:
        """The id of the last instance of all that was given to `accept` before; 0: none."""

    def oldest_unprocessed(self) -> int | None:
        """The id of the first instance with a copy that is still to be processed."""

    def follow(self, destinations: Mapping[str, DestinationConfig]) -> None:
        """Decide by these settings from now on what is sent again: `resend`, `loop_guard`."""

    def waiting_bytes(self, destination: str) -> int:
        """How much waits for a destination or is held: deliveries, and copies planned for it.
        Costs nothing.
        """

    def pause(self, destination: str) -> Future[None]:
        """Send nothing more there until resumed, also after a restart."""

    def resume(self, destination: str) -> Future[None]:
        """End a pause."""

    def paused(self) -> set[str]:
        """The paused destinations."""

    def waiting(self) -> Sequence[Waiting]:
        """Since when deliveries wait, by destination."""

    def summary(self, now: datetime | None = None) -> Summary:
        """How everything stands; seconds when millions wait."""

    def count(self, selection: Selection) -> int:
        """How many deliveries, copies and instances wait or are held."""

    def list(self, selection: Selection, limit: int = 1000) -> Sequence[QueueRow]:
        """What waits or is held: instances, then copies, then deliveries, oldest first."""

    def where(
        self,
        uid: str | None = None,
        *,
        accession_number: str | None = None,
        patient_id: str | None = None,
        limit: int = 1000,
    ) -> Trail:
        """The trail by SOP Instance, Series or Study Instance UID (received or outgoing),
        Accession Number or Patient ID, exactly one of them.
        """

    @property
    def backlog(self) -> int:
        """How many writes wait."""

    def accepted_until(self, path: str) -> int:
        """Where in a file the last instance ends that was accepted, 0 when none was."""

    def expirable(
        self, before: datetime, limit: int, spared: Collection[str] = ()
    ) -> Sequence[Expirable]:
        """Instances that were done before then and still have files, first done first; none in
        the `spared` files.
        """

    def forget_files(self, instance_ids: Collection[int]) -> Future[None]:
        """Their files are gone."""

    def lost(self, instance_ids: Collection[int]) -> Future[None]:
        """Their bytes are not in the spool any more: hold what still has to go somewhere."""

    def forget(self, before: datetime) -> Future[int]:
        """Drop the rows of done instances received before then whose files are gone, and older
        refusals, a bounded number per call; the result counts the instances.
        """

    def open_retrieve(
        self, service: str, route: str, name: str, has_chain: bool, asked: Asked
    ) -> Retrieve:
        """Expect what somebody (`name`) retrieves; `route` is whose chain it takes."""

    def let_pass(self, retrieve: Retrieve, wake: Callable[[], None]) -> None:
        """What is for this retrieve alone may leave from memory; `wake` tells that it is there."""

    def passes(self, originator: Originator | None, only: Retrieve | None = None) -> bool:
        """Whether what says this (as for `expected`) may do so, if it is what was asked for."""

    def passed(self, transit: Transit, passed: Passed) -> None:
        """Record how an instance in transit has left, at the latest when its retrieve ends."""

    def expected(
        self,
        which: Which,
        senders: Collection[str],
        originator: Originator | None,
        only: Retrieve | None = None,
    ) -> Expected:
        """What an arriving instance is for: costs nothing while no retrieve is open. `senders` is
        what it may have come from: AE title, address. Accept it, or say that it is `not_accepted`.
        """

    def not_accepted(self, expected: Expected, sop_instance_uid: str) -> None:
        """An instance that was expected could not be kept."""

    def retrieve_state(self, retrieve: Retrieve) -> RetrieveState:
        """Where the copies for a retrieve are; costs more the more there are."""

    def close_retrieve(
        self, retrieve: Retrieve, status: int, completed: int, failed: int, comment: str
    ) -> Future[None]:
        """It is answered: what is not delivered is discarded, in transit, too."""

    def end_retrieves(self) -> Future[int]:
        """At a start: those that a crash has left are over."""

    def tally(self) -> Mapping[Key, int]:
        """How much of what was recorded since this process opened it."""

    def probe(self) -> Future[None]:
        """A write of nothing: done when the ledger still gets to what it is asked."""

    def close(self) -> None:
        """Finish what was submitted, then close; later writes raise `SpoolError`."""
