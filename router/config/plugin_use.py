"""A plugin as a configuration uses it: which one, with what options, when, for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.mistakes import Position
    from router.config.when import When


@dataclass(frozen=True)
class PluginUse:
    """A plugin and its options, plain Python values with `!env` and `!file` resolved.

    `name` is its entry's in `plugins:`, or the plugin's own where the options stand in the chain
    (`inline`); a plugin destination's is the destination's. `use` says which plugin: shipped,
    installed, or `FILE.py:Class` in `directory`, which relative paths are relative to. `timeout`
    is in seconds. Positions are kept by dotted path (`profile`, `options.0`, `""` for the whole):
    `option_positions` of values, `option_keys` of the keys before them. Two uses that differ in
    positions only are equal.
    """

    name: str
    use: str
    options: Any = field(repr=False)  # may hold secrets
    inline: bool
    timeout: float
    directory: Path
    path: str = field(compare=False)
    position: Position = field(compare=False)
    option_positions: Mapping[str, Position] = field(compare=False, repr=False)
    option_keys: Mapping[str, Position] = field(compare=False, repr=False)


@dataclass(frozen=True)
class ChainEntry:
    """One step of a chain: the plugin, when it is asked, and the seconds it may take."""

    plugin: PluginUse
    when: When | None
    timeout: float
    path: str = field(compare=False)
    position: Position = field(compare=False)
