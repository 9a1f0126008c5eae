"""The configuration: YAML with positions, checked, as a frozen model."""

from router.config.mistakes import ConfigError, Mistake, Position, report
from router.config.model import (
    Accept,
    Config,
    DestinationConfig,
    DicomDestination,
    FolderDestination,
    Listener,
    Logging,
    Peer,
    PluginDestination,
    Processing,
    Retry,
    Route,
    Spool,
    Timeouts,
)
from router.config.plugin_use import ChainEntry, PluginUse

__all__ = [
    "Accept",
    "ChainEntry",
    "Config",
    "ConfigError",
    "DestinationConfig",
    "DicomDestination",
    "FolderDestination",
    "Listener",
    "Logging",
    "Mistake",
    "Peer",
    "PluginDestination",
    "PluginUse",
    "Position",
    "Processing",
    "Retry",
    "Route",
    "Spool",
    "Timeouts",
    "report",
]
