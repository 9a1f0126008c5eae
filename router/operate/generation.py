"""A configuration file read for a command: checked whole, or only for where things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config import Config, ConfigError, load
from router.config.mistakes import in_order
from router.routing import (
    check_chains,
    check_plugin,
    find_unknown_destinations,
    has_hook,
    known_plugins,
)

if TYPE_CHECKING:
    from pathlib import Path


def read_config(path: Path) -> Config:
    """The configuration with its plugins checked; raises ConfigError with every mistake."""
    config = load(path, check_plugin=check_plugin, known_plugins=known_plugins(), has_hook=has_hook)
    mistakes = check_chains(config)
    if mistakes:
        raise ConfigError(mistakes)
    lints = in_order([*config.lints, *find_unknown_destinations(config)])
    return config.model_copy(update={"lints": lints})


def read_settings(path: Path) -> Config:
    """The configuration without loading its plugins: for commands that only ask or send."""
    return load(path)
