"""Whose turn it is: a small study overtakes a large one, which still gets half of the way."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.spool import WaitingStudy

BATCH = 16  # deliveries a lane gets at a time
_MOST_SAVED = 4 * BATCH
_MOST_REMEMBERED = 256

Key = tuple[str, int]  # the destination it was queued for, the study


class Turns:
    """Chooses the study a lane goes on with; a study that a lane has begun stays with it.

    Studies have their turn in order of arrival. Each object sent in turn pays for one of a smaller
    study that overtakes, as in Postfix's preemptive scheduler: what overtakes gets half at most.
    A study that has an association of its own is not interrupted (`overtaking`).
    """

    def __init__(self, overtaking: bool = True) -> None:
        self.overtaking = overtaking
        self._lane_of: OrderedDict[Key, int] = OrderedDict()
        self._paid: defaultdict[int, int] = defaultdict(int)  # objects that may overtake, by lane

    def choose(self, lane: int, destination: str, waiting: Sequence[WaitingStudy]) -> int | None:
        """The study for this lane among those that wait, in order of arrival; None: none."""
        keys = {each.study: (destination, each.study) for each in waiting}
        mine = [each for each in waiting if self._lane_of.get(keys[each.study], lane) == lane]
        if not mine:
            return None
        begun = [each for each in mine if keys[each.study] in self._lane_of]
        in_turn = chosen = (begun or mine)[0]
        smallest = min(mine, key=lambda each: each.waiting)
        if self.overtaking and smallest.waiting < in_turn.waiting and self._paid[lane] >= 0:
            chosen = smallest
        sent = min(chosen.waiting, BATCH)
        if chosen is in_turn:
            self._paid[lane] = min(self._paid[lane] + sent, _MOST_SAVED)
        else:
            self._paid[lane] -= sent
        self._remember(keys[chosen.study], lane)
        return chosen.study

    def forget(self, lane: int) -> None:
        """Its association is gone: what it has begun may be another's."""
        for key in [key for key, of in self._lane_of.items() if of == lane]:
            del self._lane_of[key]

    def _remember(self, key: Key, lane: int) -> None:
        self._lane_of[key] = lane
        self._lane_of.move_to_end(key)
        if len(self._lane_of) > _MOST_REMEMBERED:
            self._lane_of.popitem(last=False)
