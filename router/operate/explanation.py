"""What would become of an instance, as values: let in or not, which routes, what goes where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from router.instance import Refusal
from router.spool.records import HeldCopy, Processed, Skipped

if TYPE_CHECKING:
    from router.config import Position
    from router.instance import Association
    from router.operate.given import Given
    from router.routing.explain import Explained
    from router.routing.reasons import Reason


@dataclass(frozen=True)
class Verdict:
    """A no on the way in, and who said it: the listener's settings, a plugin, or that no route
    applies. `status` is what a C-STORE would be answered; None: there is no association.
    """

    said_by: str
    reason: str
    status: int | None = None


@dataclass(frozen=True)
class Unasked:
    """A plugin of a chain that is not asked, and why: the conditions of its `when`."""

    plugin: str
    position: Position
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Leaving:
    """One destination of a route's copy.

    `left_out` says why nothing goes there, if so. `chain` is what the destination's own one makes
    of it; `transfer_syntaxes` are those it may leave in, best first, as it came in first of all
    where nothing is configured. `added_by` is the plugin whose idea it was, if it was one's.
    `fallbacks` take over while it is down, each while those before it are down as well.
    """

    destination: str
    where: str
    transfer_syntaxes: tuple[str, ...]
    added_by: str = ""
    left_out: str = ""
    fallbacks: tuple[str, ...] = ()
    chain: Explained | None = None

    @property
    def held(self) -> HeldCopy | None:
        return _held(self.chain)


@dataclass(frozen=True)
class RouteWay:
    """One route: why it applies or not, and what becomes of its copy where it does.

    `destinations` of a held copy are those its route names.
    """

    route: str
    position: Position
    applies: bool
    because: str = ""
    reasons: tuple[Reason, ...] = ()
    unasked: tuple[Unasked, ...] = ()
    chain: Explained | None = None
    leaving: tuple[Leaving, ...] = ()
    to: tuple[str, ...] = ()

    @property
    def state(self) -> Literal["processed", "skipped", "held", "not applied"]:
        if not self.applies or self.chain is None:
            return "not applied"
        if isinstance(self.chain.outcome, Skipped):
            return "skipped"
        return "processed" if isinstance(self.chain.outcome, Processed) else "held"

    @property
    def held(self) -> HeldCopy | None:
        return _held(self.chain)

    @property
    def holds(self) -> tuple[HeldCopy, ...]:
        """Every reason for which something of it would be held."""
        found = (self.held, *(each.held for each in self.leaving))
        return tuple(held for held in found if held)

    @property
    def sop_instance_uid(self) -> str:
        """The one it leaves with, if it does."""
        outcome = self.chain.outcome if self.chain else None
        return outcome.sop_instance_uid if isinstance(outcome, Processed) else ""

    @property
    def destinations(self) -> tuple[str, ...]:
        """Those that get something, or would if the copy were not held."""
        if self.state == "held":
            return self.to
        return tuple(
            each.destination for each in self.leaving if not each.left_out and not each.held
        )


@dataclass(frozen=True)
class Explanation:
    """The whole way of one instance, as far as the configuration decides it.

    `refused` are the noes in their order; what is told after the first is what would be without
    it. `unmatched` is what becomes of it where no route applies. `numbers` are the explainer's
    own.
    """

    given: Given
    association: Association
    refused: tuple[Verdict, ...]
    admission: Explained | None
    routes: tuple[RouteWay, ...]
    unmatched: Literal["refuse", "hold", "discard"] | None
    numbers: tuple[int, ...] = ()

    @property
    def attention(self) -> bool:
        """Whether something of it would not simply go its way."""
        held = any(route.holds for route in self.routes)
        return bool(self.refused) or self.unmatched is not None or held


@dataclass(frozen=True)
class NotExplained:
    """A file that is no instance, and why."""

    name: str
    reason: str
    attention: Literal[True] = True


def _held(explained: Explained | None) -> HeldCopy | None:
    """What holds a copy; a filter's refusal holds it as well."""
    outcome = explained.outcome if explained else None
    if isinstance(outcome, Refusal):
        return HeldCopy(outcome.reason, "", "")
    return outcome if isinstance(outcome, HeldCopy) else None
