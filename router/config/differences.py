"""What another configuration changes, in words an administrator understands.

Values that may be secrets (options of plugins, alerts) and values of elements that identify
patients are never told, only that they are others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from router.config.chain_differences import chain_words, options_words
from router.config.model import (
    Config,
    DestinationConfig,
    DicomDestination,
    FolderDestination,
    Listener,
    Route,
    Web,
)
from router.config.parts import Model
from router.config.schema import keys_of
from router.config.units import duration_text
from router.config.values_as_written import (
    as_written,
    condition_as_written,
    conditions_of,
    items_as_written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo

    from router.config.plugin_use import PluginUse

NEEDS_RESTART = frozenset({"spool.directory", "spool.queue"})

_NEW_ASSOCIATIONS = "for associations from now on"
_WAITING = "applies to what waits, too"
_FROM_NOW_ON = "from now on"
_SECRET = ("alerts.command", "alerts.webhook")
_NAMED = {
    "listeners": ("listener", _NEW_ASSOCIATIONS),
    "peers": ("peer", _NEW_ASSOCIATIONS),
    "destinations": ("destination", _WAITING),
    "plugins": ("plugin", _FROM_NOW_ON),
    "routes": ("route", _NEW_ASSOCIATIONS),
    "query_retrieve": ("query_retrieve", _NEW_ASSOCIATIONS),
}
_NOTHING_RUNS_BY = ("include", "tests")
_REMOVED = {
    "listener": "closed; associations under way finish",
    "destination": "what waits for it is treated as its when_removed says",
}


@dataclass(frozen=True)
class Difference:
    """One thing that is different; `effect` is when and for what it counts.

    `path` is the dotted key in the file, `about` whose it is (`route research`, `spool`).
    """

    path: str
    about: str
    kind: Literal["added", "removed", "changed"]
    words: str
    effect: str
    needs_restart: bool = False

    def __str__(self) -> str:
        return f"{self.about}: {self.words}" + (f"; {self.effect}" if self.effect else "")


class Homes(NamedTuple):
    """The directories of two configuration files: what is below them counts as relative."""

    old: Path | None = None
    new: Path | None = None


def differences(old: Config, new: Config, homes: Homes | None = None) -> tuple[Difference, ...]:
    """What is different in `new`, in the order of the model; nothing where the same is done."""
    return tuple(_differences(old, new, homes or Homes()))


def _differences(old: Config, new: Config, homes: Homes) -> Iterator[Difference]:
    for section in keys_of(Config):
        before, after = getattr(old, section), getattr(new, section)
        if section in _NAMED:
            yield from _named(section, _by_name(before), _by_name(after), homes)
        elif isinstance(before, Model) and isinstance(after, Model):
            yield from _Part(section, section, _FROM_NOW_ON, homes).keys(before, after)
        elif isinstance(after, Model):
            yield Difference(section, section, "added", _told(after), "")
        elif isinstance(before, Model):
            yield Difference(section, section, "removed", "is gone", _FROM_NOW_ON)
        elif before != after and section not in _NOTHING_RUNS_BY:
            field = Config.model_fields[section]
            words = f"{as_written(before, field)} -> {as_written(after, field)}"
            yield Difference(section, section, "changed", words, _FROM_NOW_ON)


def _by_name(section: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return {each.name: each for each in section} if isinstance(section, tuple) else section


def _named(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], homes: Homes
) -> Iterator[Difference]:
    kind, effect = _NAMED[section]
    for name in before:
        if name not in after:
            path, about = f"{section}.{name}", f"{kind} {name}"
            yield Difference(path, about, "removed", "is gone", _REMOVED.get(kind, effect))
    for name, entry in after.items():
        part = _Part(f"{section}.{name}", f"{kind} {name}", effect, homes)
        if name not in before:
            yield Difference(part.path, part.about, "added", _told(entry), "")
        elif isinstance(entry, Model):
            yield from part.entry(before[name], entry)
        else:
            yield from part.plugin(before[name], entry)
    order = [name for name in after if name in before]
    if order != [name for name in before if name in after] and kind in ("route", "peer"):
        words = f"in another order: {', '.join(order)}"
        yield Difference(section, section, "changed", words, f"the first counts; {effect}")


def _told(entry: object) -> str:
    """What a new entry is."""
    match entry:
        case Listener() | Web():
            return f"is new: listens at {entry.bind}:{entry.port}"
        case DicomDestination():
            return f"is new: {entry.ae_title} at {entry.host}:{entry.port}"
        case FolderDestination():
            return f"is new: folder {entry.directory}"
        case Route(to=to) if to:
            return f"is new: goes to {', '.join(to)}"
    return "is new"


@dataclass(frozen=True)
class _Part:
    """A part of both configurations."""

    path: str
    about: str
    effect: str
    homes: Homes

    def changed(self, key: str, words: str) -> Difference:
        path = f"{self.path}.{key}"
        effect, restart = self.effect, path in NEEDS_RESTART
        if restart:
            effect = "needs a restart of the router"
        elif path.startswith("listeners.") and key in ("port", "bind"):
            effect = "reopened; associations under way finish"
        said = words if key == "to" else f"{key}: {words}"
        return Difference(path, self.about, "changed", said, effect, restart)

    def entry(self, before: Model, after: Model) -> Iterator[Difference]:
        """What is different in an entry of a section."""
        if type(before) is type(after):
            yield from self.keys(before, after)
        elif isinstance(before, DestinationConfig) and isinstance(after, DestinationConfig):
            yield self.changed("type", f"{before.type} -> {after.type}")

    def keys(self, before: Model, after: Model, above: str = "") -> Iterator[Difference]:
        """What is different in the keys of a model, and of those within it."""
        for key, field in ((key, type(after).model_fields[key]) for key in keys_of(type(after))):
            one, other = getattr(before, key), getattr(after, key)
            if isinstance(one, Model) and isinstance(other, Model):
                yield from self.keys(one, other, f"{above}{key}.")
            elif words := _words(key, one, other, field, self.homes):
                is_secret = f"{self.path}.{key}" in _SECRET
                yield self.changed(above + key, "changed" if is_secret else words)

    def plugin(self, before: PluginUse, after: PluginUse) -> Iterator[Difference]:
        """What is different in an entry of `plugins:`, which is no model."""
        if before.use != after.use:
            yield self.changed("use", f"{before.use} -> {after.use}")
        if words := options_words(before.options, after.options):
            yield self.changed("options", words)
        if before.timeout != after.timeout:
            old, new = duration_text(before.timeout), duration_text(after.timeout)
            yield self.changed("timeout", f"{old} -> {new}")


def _words(
    key: str,
    one: Any,  # noqa: ANN401
    other: Any,  # noqa: ANN401
    field: FieldInfo,
    homes: Homes,
) -> str:
    """How a value is another; nothing where it is the same."""
    if key == "chain":
        return chain_words(one, other)
    if key == "when":
        return _condition_words(one, other)
    if key == "options":
        return options_words(one, other)
    old, new = as_written(one, field, homes.old), as_written(other, field, homes.new)
    if old == new:
        return ""
    if isinstance(one, tuple) and isinstance(other, tuple) and one and other:
        return _list_words(key, items_as_written(one, field), items_as_written(other, field))
    if isinstance(one, Model) or isinstance(other, Model):
        return "given now" if one is None else "not given any more"
    return f"{old} -> {new}"


def _list_words(key: str, old: list[str], new: list[str]) -> str:
    goes = "goes to " if key == "to" else ""
    added = [each for each in new if each not in old]
    gone = [each for each in old if each not in new]
    words = [f"now also {goes}{', '.join(added)}"] if added else []
    words += [f"no longer {goes}{', '.join(gone)}"] if gone else []
    return ", ".join(words) or f"{goes}in another order: {', '.join(new)}"


def _condition_words(one: Any, other: Any) -> str:  # noqa: ANN401
    if tuple(conditions_of(one)) == tuple(conditions_of(other)):
        return ""
    old, new = condition_as_written(one), condition_as_written(other)
    return f"{old} -> {new}" if old != new else f"{new}, with other values"
