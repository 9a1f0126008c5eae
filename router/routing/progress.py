"""What each copy's worker is doing, in memory it shares with the router: who overruns, who died."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.hookspecs import HOOKS

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

_PID, _LINK, _HOOK, _TIMEOUT, _DEADLINE = range(5)
_FIELDS = 5


@dataclass(frozen=True)
class Doing:
    """What the worker `pid` is doing (0: it has not begun): `hook` of the chain's link number
    `link`, or what is the router's own (-1), for `timeout` seconds at most; `deadline` is on the
    monotonic clock.
    """

    pid: int
    link: int
    hook: str
    timeout: float
    deadline: float

    @property
    def overdue(self) -> bool:
        return self.deadline < time.monotonic()


class Progress:
    """A slot per copy in flight. One worker writes a slot at a time, the router reads them all.

    Each field is an aligned double, so none is ever half written; CLOCK_MONOTONIC is one clock
    for all processes.
    """

    def __init__(self, context: BaseContext, slots: int) -> None:
        self._cells = context.RawArray("d", slots * _FIELDS)

    def enter(self, slot: int, link: int, hook: str, timeout: float) -> None:
        """From now on this process runs the hook, for `timeout` seconds at most."""
        at = slot * _FIELDS
        self._cells[at + _DEADLINE] = float("inf")
        self._cells[at + _LINK] = link
        self._cells[at + _HOOK] = HOOKS.index(hook) if hook else -1
        self._cells[at + _TIMEOUT] = timeout
        self._cells[at + _PID] = os.getpid()
        self._cells[at + _DEADLINE] = time.monotonic() + timeout

    def clear(self, slot: int) -> None:
        """The slot is for another copy now."""
        at = slot * _FIELDS
        self._cells[at : at + _FIELDS] = [0, -1, -1, 0, float("inf")]

    def read(self, slot: int) -> Doing:
        at = slot * _FIELDS
        while True:
            cells = self._cells[at : at + _FIELDS]
            if cells == self._cells[at : at + _FIELDS]:
                break
        hook = HOOKS[int(cells[_HOOK])] if cells[_HOOK] >= 0 else ""
        return Doing(int(cells[_PID]), int(cells[_LINK]), hook, cells[_TIMEOUT], cells[_DEADLINE])
