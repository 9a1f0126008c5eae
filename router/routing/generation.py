"""A generation: one configuration, checked, with everything of it built; nothing in it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.routing.build import Plugins
from router.routing.matching import Routes
from router.routing.spec import chain_spec, route_specs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config import Config
    from router.routing.chain import Chain
    from router.routing.spec import ChainSpec


@dataclass(frozen=True)
class Generation:
    """What intake and routing work by. An association keeps the one it began with."""

    number: int
    config: Config
    routes: Routes
    route_chains: Mapping[str, ChainSpec]
    listener_chains: Mapping[str, Chain]
    plugins: Plugins

    def close(self) -> None:
        """Shut its plugins down; to be called when nothing works by it any more."""
        self.plugins.shutdown()


def build_generation(config: Config, number: int, plugins_directory: Path) -> Generation:
    """Build and start all of a configuration's plugins that run in this process.

    Raises HookFailed where one cannot be built or started, PluginError where one is not found.
    """
    plugins = Plugins(plugins_directory)
    return Generation(
        number=number,
        config=config,
        routes=Routes(config),
        route_chains=route_specs(config),
        listener_chains={
            name: plugins.chain(chain_spec(listener.chain, config))
            for name, listener in config.listeners.items()
        },
        plugins=plugins,
    )
