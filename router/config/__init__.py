"""The configuration: YAML with positions, checked, as a frozen model."""

from router.config.limits import Limits
from router.config.loading import load
from router.config.mistakes import ConfigError, Mistake, Position, report
from router.config.model import (
    Alerts,
    AnyDestination,
    Config,
    DestinationConfig,
    DicomDestination,
    Example,
    ExampleAssociation,
    Expected,
    FolderDestination,
    Listener,
    Logging,
    PeerConfig,
    PluginDestination,
    Processing,
    Retry,
    Route,
    Spool,
    Timeouts,
    Web,
)
from router.config.parts import Accept
from router.config.places import key_position
from router.config.plugin_use import ChainEntry, PluginUse
from router.config.querying import QueryRetrieve, Upstream
from router.config.starting import init_text
from router.config.tls import ClientTls, ServerTls, client_context, server_context
from router.config.values import IPNetwork
from router.config.when import When
from router.config.when_parsing import compile_when

__all__ = [
    "Accept",
    "AnyDestination",
    "ChainEntry",
    "ClientTls",
    "Alerts",
    "Config",
    "ConfigError",
    "DestinationConfig",
    "DicomDestination",
    "Example",
    "ExampleAssociation",
    "Expected",
    "FolderDestination",
    "IPNetwork",
    "Limits",
    "Listener",
    "Logging",
    "Mistake",
    "PeerConfig",
    "PluginDestination",
    "PluginUse",
    "Position",
    "Processing",
    "QueryRetrieve",
    "Retry",
    "Route",
    "ServerTls",
    "Spool",
    "Timeouts",
    "Upstream",
    "Web",
    "When",
    "client_context",
    "compile_when",
    "init_text",
    "key_position",
    "load",
    "report",
    "server_context",
]
