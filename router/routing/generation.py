"""A generation: one configuration, checked, with everything of it built; nothing in it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.config import ChainEntry, PluginDestination
from router.instance import Destination
from router.routing.build import Plugins
from router.routing.check import QUERY_HOOKS, hooks_in, with_hooks
from router.routing.routes import Routes
from router.routing.spec import chain_spec, worker_specs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config import Config, PluginUse, Route
    from router.routing.chain import Chain
    from router.routing.spec import ChainSpec


@dataclass(frozen=True)
class Follows:
    """What a route wants to know of its studies: that nothing came for `quiet` seconds, so that
    plugins are `told`, or that its deliveries go `together`. `only` if its chain does nothing else.
    """

    quiet: float
    told: bool
    together: bool
    only: bool


@dataclass(frozen=True)
class Generation:
    """What intake and routing work by. An association keeps the one it began with."""

    number: int
    config: Config
    routes: Routes
    studies: Mapping[str, Follows]
    route_chains: Mapping[str, ChainSpec]
    destination_chains: Mapping[str, ChainSpec]
    told_chains: Mapping[str, Chain]
    listener_chains: Mapping[str, Chain]
    destination_types: Mapping[str, Chain]
    query_chains: Mapping[str, Chain]
    plugins: Plugins

    def destination(self, name: str) -> Destination:
        """What a hook may know of a destination."""
        settings = self.config.destinations[name]
        options = settings.options if isinstance(settings, PluginDestination) else None
        return Destination(name, settings.type, options or {})

    @property
    def started(self) -> set[str]:
        """The keys of the plugins that its worker processes use."""
        specs = (*self.route_chains.values(), *self.destination_chains.values())
        return {link.plugin.key for spec in specs for link in spec.links}

    def outgoing(self, name: str) -> object:
        """Equal where plugins have the same part in what leaves to that destination."""
        chain, own = self.destination_chains.get(name), self.destination_types.get(name)
        return (
            chain and [(link.plugin.key, link.when, link.timeout) for link in chain.links],
            own and [link.plugin for link in own.links],
        )

    @property
    def chains(self) -> str:
        """The same for generations whose worker processes would do the same."""
        specs = (*self.route_chains.values(), *self.destination_chains.values())
        return next((spec.generation for spec in specs), "")

    def close(self) -> None:
        """Shut its plugins down; to be called when nothing works by it any more."""
        self.plugins.shutdown()


def build_generation(
    config: Config, number: int, plugins_directory: Path, previous: Generation | None = None
) -> Generation:
    """Build and start all of a configuration's plugins that run in this process; those that the
    `previous` one has as well are used on.

    Raises HookFailed where one cannot be built or started, PluginError where one is not found.
    """
    plugins = Plugins(plugins_directory, previous.plugins if previous else None)
    try:
        route_chains, destination_chains = worker_specs(config)
        return Generation(
            number=number,
            config=config,
            routes=Routes(config),
            studies={
                route.name: follows for route in config.routes if (follows := _follows(route))
            },
            route_chains=route_chains,
            destination_chains=destination_chains,
            told_chains={
                name: plugins.chain(spec)
                for name, spec in destination_chains.items()
                if "delivery_ended" in hooks_in(config.destinations[name].chain)
            },
            listener_chains={
                name: plugins.chain(chain_spec(listener.chain, config))
                for name, listener in config.listeners.items()
            },
            destination_types={
                name: chain_of(settings.plugin, config, plugins)
                for name, settings in config.destinations.items()
                if isinstance(settings, PluginDestination)
            },
            query_chains={
                entry.name: plugins.chain(chain_spec(with_hooks(entry.chain, QUERY_HOOKS), config))
                for entry in config.query_retrieve
            },
            plugins=plugins,
        )
    except BaseException:
        plugins.shutdown()
        raise
    finally:
        plugins.all_built()


def _follows(route: Route) -> Follows | None:
    hooks = hooks_in(route.chain) - {"startup", "shutdown"}
    told, together = "study_complete" in hooks, route.deliver == "study_complete"
    if not told and not together:
        return None
    return Follows(route.study_quiet, told, together, only=hooks <= {"study_complete"})


def chain_of(use: PluginUse, config: Config, plugins: Plugins) -> Chain:
    """A chain of one plugin, such as a destination's type. Raises HookFailed, PluginError."""
    entry = ChainEntry(use, None, use.timeout, use.path, use.position)
    return plugins.chain(chain_spec([entry], config))
