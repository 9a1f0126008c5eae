"""A complete study and the plugins that want to be told of it, in a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.dataset import FileRange, rescan, scan_segments
from router.instance import Instance, Source, Study
from router.routing.facts import Facts
from router.routing.failures import HookFailed
from router.spool.records import HeldCopy
from router.spool.study_records import StudyOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.routing.chain import Chain, Link
    from router.routing.facts import CharacterSets
    from router.spool.study_records import StudyCopy, StudyTask


@dataclass(frozen=True)
class StudyInstances:
    """The instances of a study, each opened when its turn comes, as often as one likes."""

    route: str
    copies: tuple[StudyCopy, ...]
    character_sets: CharacterSets

    def __len__(self) -> int:
        return len(self.copies)

    def __iter__(self) -> Iterator[Instance]:
        return (self.open(copy) for copy in self.copies)

    def open(self, copy: StudyCopy) -> Instance:
        """The copy as it leaves; what is changed in it goes nowhere."""
        stored = copy.stored
        bulk = None if stored.problem else stored.bulk
        assumed = self.character_sets.get(copy.association.peer)
        scan = rescan(
            stored.path, stored.offset, stored.length, copy.received_transfer_syntax, bulk
        )
        received = Source(
            (FileRange(stored.path, stored.offset, stored.length),), scan.assuming(assumed)
        )
        own = received
        if copy.segments is not None:
            scan = scan_segments(copy.segments, copy.transfer_syntax)
            own = Source(copy.segments, scan.assuming(assumed))
        return Instance(
            own,
            association=copy.association,
            route=self.route,
            received=copy.received,
            original=received,
        )


def tell_of_study(chain: Chain, task: StudyTask, character_sets: CharacterSets) -> StudyOutcome:
    """Tell every plugin of the chain that was not told yet, until one fails.

    A plugin with a `when` hears of the instances that meet it, if any do. Where a chain has given
    the instances several Study Instance UIDs, each is told as a study.
    """
    told: list[str] = []
    before = list(task.told)

    def studies(link: Link) -> list[Study]:
        if link.name in before:  # once for each time that it is in the chain
            before.remove(link.name)
            return []
        return _studies(task, StudyInstances(task.route, task.copies, character_sets), link)

    try:
        for link in chain.study_complete(studies):
            told.append(link.name)
    except HookFailed as failure:
        failed = HeldCopy(failure.reason, failure.plugin, failure.hook, failure.retry_after)
        return StudyOutcome(tuple(told), failed)
    return StudyOutcome(tuple(told))


def _studies(task: StudyTask, instances: StudyInstances, link: Link) -> list[Study]:
    leaving: dict[str, list[StudyCopy]] = {}
    for copy in instances.copies:
        if link.when is None or link.when(Facts.of(instances.open(copy))):
            leaving.setdefault(copy.study_instance_uid, []).append(copy)
    return [
        Study(
            study_instance_uid=uid,
            original_study_instance_uid=task.original_study_instance_uid,
            route=task.route,
            instances=StudyInstances(task.route, tuple(copies), instances.character_sets),
            late=task.late,
        )
        for uid, copies in leaving.items()
    ]
