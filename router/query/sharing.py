"""A retrieve of what several archives have: the first is asked for all, others for the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.query.holdings import Holdings, Scope
from router.query.sop_classes import sibling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set

    from router.query.identifier import Identifier
    from router.query.owners import Owners
    from router.query.upstream import Upstream

_LEVEL, _SERIES, _SOP_INSTANCE = 0x00080052, 0x0020000E, 0x00080018
_MOST_UIDS = 500  # in one request: a value in Explicit VR has 64 KiB at most


@dataclass(frozen=True)
class Share:
    """What one upstream is asked for; `instances` is what that is, where it is known.

    `is_listed`: one by one, and archives have been seen that send the first of a list only.
    """

    who: Upstream
    identifier: Identifier
    instances: frozenset[str] = frozenset()
    is_listed: bool = False


class Sharing:
    """The shares of one retrieve; used by the requestor's thread."""

    def __init__(
        self,
        owners: Owners,
        sop_class_uid: str,
        identifier: Identifier,
        deadline: float,
        wake: Callable[[], None],
    ) -> None:
        """Several that certainly have it are asked at once what they have; what they say is waited
        for `deadline` seconds at most, and each calls `wake`.
        """
        self._identifier = identifier
        self._deadline = deadline
        self._waiting_since: float | None = None
        scope = Scope.of(identifier) if len(owners.certain) > 1 else None
        self._in_turn = owners.certain[1:] if scope else []
        at_once = [owners.certain[0], *owners.others] if scope else owners.all
        self.first = [Share(who, identifier) for who in at_once]
        self._known: frozenset[str] | None = None
        self._is_certain = not owners.others
        self._holdings: dict[str, Holdings] = {}
        if scope is not None:
            self._level = scope.level
            find = sibling(sop_class_uid, "find")
            for who in owners.certain:
                holdings = self._holdings[who.name] = Holdings(who, find, scope, deadline, wake)
                holdings.start()

    def next(self, had: Set[str]) -> list[Share] | None:
        """What is asked for besides, when all that was asked has ended and `had` has come.

        None when there is nothing more; empty: ask again, later.
        """
        if not self._in_turn:
            return None
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if (
            not all(holdings.is_done for holdings in self._holdings.values())
            and time.monotonic() - self._waiting_since < self._deadline
        ):
            return []
        who = self._in_turn.pop(0)
        found = self._holdings[who.name].found
        return [Share(who, self._identifier)] if found is None else [*self._rest(who, found, had)]

    def known(self) -> frozenset[str] | None:
        """All that there is; None where it is not sure that this is all."""
        if self._known is None and self._holdings and self._is_certain:
            found = [holdings.found for holdings in self._holdings.values()]
            if None not in found:
                self._known = frozenset().union(*(_all(each) for each in found if each))
        return self._known

    def asked_for(self, share: Share) -> frozenset[str]:
        """What a share is, none where the upstream did not say."""
        holdings = self._holdings.get(share.who.name)
        if share.instances or holdings is None or holdings.found is None:
            return share.instances
        return _all(holdings.found)

    def close(self) -> None:
        for holdings in self._holdings.values():
            if not holdings.is_done:
                holdings.interrupt()

    def _rest(
        self, who: Upstream, found: Mapping[str, frozenset[str]], had: Set[str]
    ) -> Iterator[Share]:
        """Series that have not come; of those that have come in part what is missing."""
        if _all(found).isdisjoint(had):
            yield Share(who, self._identifier, _all(found))
            return
        for series, instances in found.items():
            missing = sorted(instances - had)
            if len(missing) == len(instances) and self._level != "IMAGE":
                yield self._share(who, "SERIES", series, missing)
                continue
            for start in range(0, len(missing), _MOST_UIDS):
                yield self._share(who, "IMAGE", series, missing[start : start + _MOST_UIDS])

    def _share(self, who: Upstream, level: str, series: str, instances: list[str]) -> Share:
        keys: dict[int, tuple[str, str] | None] = {_LEVEL: ("CS", level), _SERIES: ("UI", series)}
        if is_listed := level == "IMAGE":
            keys[_SOP_INSTANCE] = ("UI", "\\".join(instances))
        return Share(who, self._identifier.replaced(keys), frozenset(instances), is_listed)


def _all(found: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*found.values())
