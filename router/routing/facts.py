"""What conditions are asked about: the association and the elements, each decoded at most once."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, TypeAlias

from router.config.measures import measure
from router.dataset import values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from router.config import Config
    from router.dataset import Path, Scan
    from router.instance import Association, Instance

# What peers' data sets are read as that name no character set, by the peer's name.
CharacterSets: TypeAlias = "Mapping[str | None, str]"


class Facts:
    """What conditions are asked about; what one of them decoded the others find.

    Without a scan (an association before its instances) every element is missing.
    """

    __slots__ = (
        "_decoded",
        "_folded",
        "_measured",
        "_scan",
        "association",
        "received",
    )

    def __init__(self, association: Association, scan: Scan | None, received: datetime) -> None:
        self.association = association
        self.received = received
        self._scan = scan
        self._decoded: dict[str, tuple[str, ...] | None] = {}
        self._folded: dict[str, tuple[str, ...]] = {}
        self._measured: dict[tuple[str, str], tuple[float, ...]] = {}

    @classmethod
    def of(cls, instance: Instance) -> Facts:
        """About the instance as it arrived."""
        return cls(instance.association, instance._original.scan, instance.received)

    def values(self, path: Path) -> tuple[str, ...] | None:
        """The element's values, empty when it is; None when there is none."""
        try:
            return self._decoded[path.text]
        except KeyError:
            found = values(self._scan, path) if self._scan else None
            self._decoded[path.text] = found
            return found

    def folded(self, path: Path, is_name: bool) -> tuple[str, ...]:
        """The values as texts are compared: without case and padding; a name in all its forms."""
        try:
            return self._folded[path.text]
        except KeyError:
            texts = [fold(value) for value in self.values(path) or ()]
            if is_name:
                texts = [form for text in texts for form in name_forms(text)]
            return self._folded.setdefault(path.text, tuple(filter(None, texts)))

    def measured(self, path: Path, vr: str) -> tuple[float, ...]:
        """The values that read as an amount, date, time or age of that VR, on its scale."""
        try:
            return self._measured[path.text, vr]
        except KeyError:
            amounts = (measure(value, vr) for value in self.values(path) or ())
            found = tuple(amount for amount in amounts if amount is not None)
            return self._measured.setdefault((path.text, vr), found)


def character_sets(config: Config) -> CharacterSets:
    """The `assume_character_set` of the peers that have one."""
    peers = config.peers.items()
    return {name: peer.assume_character_set for name, peer in peers if peer.assume_character_set}


def fold(text: str) -> str:
    """A text as it is compared: composed, without case, padding or trailing NULs."""
    return unicodedata.normalize("NFC", text).casefold().strip(" \0")


def name_forms(name: str) -> Iterator[str]:
    """A person name as rules may mean it: whole, or one of its component groups (PS3.5 6.2.1)."""
    groups = [_without_empty_components(group) for group in name.split("=")]
    yield "=".join(groups).rstrip("=")
    if len(groups) > 1:
        yield from groups


def _without_empty_components(group: str) -> str:
    return "^".join(part.strip() for part in group.split("^")).rstrip("^")
