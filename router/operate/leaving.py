"""Destinations that a new configuration does not have any more, and what still waits for them."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING

from router.config import ConfigError, Mistake, key_position
from router.files import write_durably
from router.spool import Selection

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import AnyDestination, Config
    from router.spool import Ledger

log = logging.getLogger("router.node")

_GONE = "its destination {} is not in the configuration any more"


class Leaving:
    """Those that `drain` keep their settings, also over a restart, as long as something waits.

    What waits for those that `discard` is discarded, and what older generations still bring.
    """

    def __init__(self, ledger: Ledger, directory: Path) -> None:
        self._ledger = ledger
        self._stored = directory / "leaving.pickle"
        self._discarded: set[str] = set()

    def remembered(self, config: Config) -> Config:
        """The configuration a router starts with, and what an earlier one was to drain."""
        stored: dict[str, AnyDestination] = {}
        try:
            stored = pickle.loads(self._stored.read_bytes())
        except FileNotFoundError:
            pass
        except Exception as error:  # of many kinds: another version has written it
            log.error("leaving.unreadable reason=%s", type(error).__name__)
        waiting = {name: each for name, each in stored.items() if self._waits(name)}
        return _with(config, waiting)

    def judge(self, new: Config, before: Config, path: Path, more_may_come: bool) -> Config:
        """The new configuration and what it has to go on with. Raises ConfigError for what must
        not be dropped.
        """
        mistakes, kept = [], {}
        for name, settings in before.destinations.items():
            if name in new.destinations or settings.when_removed == "discard":
                continue
            waits = self._waits(name)
            if waits and settings.when_removed == "refuse":
                mistakes.append(_refused(name, waits, path))
            if waits or more_may_come or name not in before.leaving:
                kept[name] = settings
        if mistakes:
            raise ConfigError(mistakes)
        return _with(new, kept)

    def follow(self, new: Config, before: Config) -> None:
        """Remember what is to be drained; discard what is to be discarded."""
        if new.leaving:
            stored = {name: new.destinations[name] for name in new.leaving}
            write_durably(self._stored, [pickle.dumps(stored)])
        else:
            self._stored.unlink(missing_ok=True)
        self._discarded -= new.destinations.keys()
        self._discarded |= before.destinations.keys() - new.destinations.keys()
        self.discard()

    def discard(self) -> None:
        for name in self._discarded:
            if self._waits(name):
                selection = Selection(destination=name)
                count = self._ledger.discard(selection, _GONE.format(name)).result()
                log.warning("destination.discarded destination=%s count=%d", name, count)

    def _waits(self, name: str) -> int:
        return self._ledger.count(Selection(destination=name))


def _with(config: Config, leaving: dict[str, AnyDestination]) -> Config:
    more = {name: each for name, each in leaving.items() if name not in config.destinations}
    return config.model_copy(
        update={"destinations": {**config.destinations, **more}, "leaving": frozenset(more)}
    )


def _refused(name: str, waits: int, path: Path) -> Mistake:
    message = (
        f"is gone, and {waits} wait for it: let them be delivered, move or discard them "
        f"(dicom-router queue), or say `when_removed: drain` or `discard` before it goes"
    )
    where = key_position(path, "destinations", name)
    return Mistake(where, f"destinations.{name}", message)
