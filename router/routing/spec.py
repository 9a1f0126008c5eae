"""Chains as they travel to the workers: what to build, with options already read and checked."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from router.config.when_parsing import compile_when
from router.routing.facts import character_sets
from router.routing.matching import Condition
from router.routing.options import Converter, OptionError, bind
from router.routing.plugins import PluginError, load_plugin, plugin_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
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

    `key` is the same wherever the configuration uses this very plugin; `directory` is what a
    `FILE.py:Class` is relative to.
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
    files = (plugin_file(entry.plugin.use, entry.plugin.directory) for entry in used)
    return ChainSpec(
        links=tuple(links),
        sources={file: file.read_bytes() for file in files if file},
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
    generation = hashlib.sha256(pickle.dumps((routes, destinations))).hexdigest()
    return _of_generation(routes, generation), _of_generation(destinations, generation)


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
    return PluginSpec(use.path, use.name, use.use, use.directory, tuple(arguments), named)
