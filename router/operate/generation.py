"""A configuration file read for a command: checked whole, or only for where things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config import Config, ConfigError, load
from router.routing import check_chains, check_plugin, has_hook, known_plugins

if TYPE_CHECKING:
    from pathlib import Path


def read_config(path: Path) -> Config:
    """The configuration with its plugins checked; raises ConfigError with every mistake."""
    config = load(path, check_plugin=check_plugin, known_plugins=known_plugins(), has_hook=has_hook)
    mistakes = check_chains(config)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def read_settings(path: Path) -> Config:
    """The configuration without loading its plugins: for commands that only ask or send."""
    return load(path)
