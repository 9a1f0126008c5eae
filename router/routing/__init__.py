"""From an accepted instance to its copies: which routes apply, and what their chains make of it."""

from router.routing.chain import Chain
from router.routing.check import (
    check_chains,
    check_plugin,
    check_start,
    find_unknown_destinations,
    has_hook,
)
from router.routing.completer import Completer
from router.routing.facts import Facts
from router.routing.failures import HookFailed
from router.routing.generation import Generation, build_generation
from router.routing.outgoing import DestinationHooks
from router.routing.plugins import PluginError, forget_modules, known_plugins, load_plugin
from router.routing.pool import WorkerPool
from router.routing.processes import default_workers
from router.routing.processor import Processor
from router.routing.routes import Match, Routes
from router.routing.spec import ChainSpec

__all__ = [
    "Chain",
    "ChainSpec",
    "Completer",
    "DestinationHooks",
    "Facts",
    "Generation",
    "HookFailed",
    "Match",
    "PluginError",
    "Processor",
    "Routes",
    "WorkerPool",
    "build_generation",
    "check_chains",
    "check_plugin",
    "check_start",
    "default_workers",
    "find_unknown_destinations",
    "forget_modules",
    "has_hook",
    "known_plugins",
    "load_plugin",
]
