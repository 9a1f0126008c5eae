"""Chains as they travel to the workers: what to build, with options already read and checked."""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.config import Position
from router.config.files import digest_of_file
from router.config.when_parsing import compile_when
from router.routing.facts import character_sets
from router.routing.matching import Condition
from router.routing.options import Converter, OptionError, bind
from router.routing.plugins import PluginError, load_plugin, plugin_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from router.config import ChainEntry, Config, PluginUse
    from router.config.when import When
    from router.routing.facts import CharacterSets


class OptionsError(PluginError):
    """Options that do not fit the plugin, each with the path that leads to it."""

    def __init__(self, mistakes: Iterable[OptionError]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))


@dataclass(frozen=True)
class PluginSpec:
    """A plugin of a configuration and the arguments its constructor is called with.

    `key` is the same for the same plugin with the same options, files and name; `directory` is
    what a `FILE.py:Class` is relative to.
    """

    key: str
    name: str
    use: str
    directory: Path
    arguments: tuple[object, ...]
    named: Mapping[str, object]


@dataclass(frozen=True)
class LinkSpec:
    """A plugin's place in a chain; `timeout` is in seconds for each hook."""

    plugin: PluginSpec
    when: When | None
    timeout: float


@dataclass(frozen=True)
class ChainSpec:
    """One chain of one configuration.

    `sources` are the plugin files as they were read, so that every worker, whenever it starts,
    runs the same code; `destinations` are the names a plugin may add. Chains of the same
    `generation` share their plugins.
    """

    links: tuple[LinkSpec, ...]
    sources: Mapping[Path, bytes]
    destinations: frozenset[str]
    timezone: ZoneInfo | None
    character_sets: CharacterSets
    generation: str = ""

    @cached_property
    def pickled(self) -> bytes:
        return pickle.dumps(self)


def chain_spec(entries: Iterable[ChainEntry], config: Config) -> ChainSpec:
    """A chain of the configuration. Raises PluginError, ConfigError and OSError."""
    used = tuple(entries)
    links = (
        LinkSpec(plugin_spec(entry.plugin, config.timezone), entry.when, entry.timeout)
        for entry in used
    )
    sources: dict[Path, bytes] = {}
    for entry in used:
        sources |= plugin_sources(entry.plugin.use, entry.plugin.directory)
    return ChainSpec(
        links=tuple(links),
        sources=sources,
        destinations=frozenset(config.destinations),
        timezone=config.timezone,
        character_sets=character_sets(config),
    )


def worker_specs(config: Config) -> tuple[dict[str, ChainSpec], dict[str, ChainSpec]]:
    """The chains of every route and query_retrieve entry, and of every destination, by name;
    empty where there is none.
    """
    routes = {route.name: chain_spec(route.chain, config) for route in config.routes}
    routes |= {entry.name: chain_spec(entry.chain, config) for entry in config.query_retrieve}
    destinations = {
        name: chain_spec(settings.chain, config) for name, settings in config.destinations.items()
    }
    generation = _digest([_told_apart(routes), _told_apart(destinations)])
    return _of_generation(routes, generation), _of_generation(destinations, generation)


def _told_apart(specs: Mapping[str, ChainSpec]) -> list[object]:
    """What makes chains others, by name; each alone, so that what they share does not count."""
    found: list[object] = []
    for name, spec in sorted(specs.items()):
        if spec.links:
            links = [(link.plugin.key, _digest(link.when), link.timeout) for link in spec.links]
            rest = _digest((sorted(spec.destinations), spec.timezone, spec.character_sets))
            found.append((name, links, rest))
    return found


def _of_generation(specs: Mapping[str, ChainSpec], generation: str) -> dict[str, ChainSpec]:
    return {name: replace(spec, generation=generation) for name, spec in specs.items()}


def plugin_spec(use: PluginUse, timezone: ZoneInfo | None = None) -> PluginSpec:
    """The plugin with its options read. Raises PluginError, and ConfigError for a `when`."""

    def condition(value: object, path: tuple[str, ...]) -> Condition:
        positions = {
            ".".join(key.split(".")[len(path) :]): position
            for key, position in use.option_positions.items()
            if tuple(key.split(".")[: len(path)]) == path
        }
        where = ".".join((use.path, *path))
        parsed = compile_when(value, use.directory, where, use.position, positions)
        return Condition(parsed, timezone)

    plugin = load_plugin(use.use, use.directory)
    try:
        arguments, named = bind(plugin, use.options, Converter(use.directory, condition))
    except ExceptionGroup as group:
        raise OptionsError(e for e in group.exceptions if isinstance(e, OptionError)) from None
    sources = plugin_sources(use.use, use.directory)
    key = _digest((use.name, use.use, use.directory, arguments, named, sources))
    return PluginSpec(key, use.name, use.use, use.directory, tuple(arguments), named)


def _digest(value: object) -> str:
    """The same for equal values, wherever in a configuration they stand."""
    written = io.BytesIO()
    _ByValue(written).dump(value)
    return hashlib.sha256(written.getvalue()).hexdigest()


class _ByValue(pickle.Pickler):
    def reducer_override(self, value: object) -> Any:  # noqa: ANN401
        if isinstance(value, Position):
            return Position, ("", 0, 0)
        if isinstance(value, Path) and value.is_file():  # an option that names it means its bytes
            return Path, (str(value), digest_of_file(value))
        return NotImplemented
