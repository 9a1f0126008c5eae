"""What is wrong with the plugins a configuration names, each mistake where it stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from router.config import ConfigError, Mistake, PluginDestination
from router.config.mistakes import suggest
from router.routing.build import build_plugin
from router.routing.chain import Link, hooks_of
from router.routing.plugins import PluginError
from router.routing.pool import WorkerPool
from router.routing.spec import OptionsError, plugin_spec, worker_specs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from router.config import ChainEntry, Config, PluginUse, Position
    from router.routing.options import OptionError
    from router.spool.records import HeldCopy

_EVERYWHERE = {"startup", "shutdown"}
_LISTENER = ("accept_association", "accept_instance", "association_ended")
_DESTINATION = ("rewrite_outgoing", "delivery_ended")
_DESTINATION_TYPE = ("open_destination",)
QUERY_HOOKS = ("filter_query", "rewrite_query", "rewrite_match")
_ROUTE = (
    "filter_instance",
    "rewrite_instance",
    "verify_instance",
    "store_instance",
    "forward_instance",
    "study_complete",
)


def check_plugin(use: PluginUse) -> list[Mistake]:
    """Whether the plugin is there and takes these options: it is constructed, but not started."""
    try:
        hooks_of(Link(use.name, build_plugin(plugin_spec(use))))
    except ConfigError as error:
        return list(error.mistakes)
    except OptionsError as error:
        return [_of_option(use, each) for each in error.mistakes]
    except (PluginError, pluggy.PluginValidationError) as error:
        return [Mistake(use.position, use.path, str(error))]
    return []


def check_chains(config: Config) -> list[Mistake]:
    """Whether every plugin has hooks where it is used, and route chains are in order.

    For a configuration whose plugins `check_plugin` found nothing wrong with.
    """
    mistakes: list[Mistake] = []
    for listener in config.listeners.values():
        mistakes += _uncalled(listener.chain, _LISTENER, "a listener")
    for route in config.routes:
        mistakes += _uncalled(route.chain, _ROUTE, "a route")
        mistakes += _out_of_order(route.chain)
    for entry in config.query_retrieve:
        mistakes += _uncalled(entry.chain, (*QUERY_HOOKS, *_ROUTE), "a query_retrieve entry")
        mistakes += _out_of_order(entry.chain)
    for destination in config.destinations.values():
        mistakes += _uncalled(destination.chain, _DESTINATION, "a destination")
        if isinstance(destination, PluginDestination):
            use = destination.plugin
            mistakes += _if_uncalled(
                use, use.path, use.position, _DESTINATION_TYPE, "a destination's type"
            )
    return mistakes


def find_unknown_destinations(config: Config) -> list[Mistake]:
    """Lints: names that plugins say they may add (`known_destinations`) and no destination has.

    For a configuration in which `check_chains` found nothing wrong.
    """
    return [
        Mistake(
            entry.position,
            entry.path,
            f"copies it names '{name}' for are held: no such destination"
            f"{suggest(name, config.destinations)}",
            "lint",
        )
        for route in config.routes
        for entry in route.chain
        for name in sorted(_known_destinations(entry.plugin) - config.destinations.keys())
    ]


def check_start(
    config: Config, plugins_directory: Path, started: Collection[str] = ()
) -> list[Mistake]:
    """Whether what routes and destinations use can be built and started in a worker of its own;
    of plugins whose keys are in `started` that is known.

    What is started is ended again: a new configuration is tried before the old one goes.
    """
    routes, destinations = worker_specs(config)
    known, chains = set(started), []
    for chain, spec in (
        *((route.chain, routes[route.name]) for route in config.routes),
        *((entry.chain, routes[entry.name]) for entry in config.query_retrieve),
        *((config.destinations[name].chain, spec) for name, spec in destinations.items()),
    ):
        keys = {link.plugin.key for link in spec.links}
        if not keys <= known:
            chains.append((chain, spec))
            known |= keys
    if not chains:
        return []
    pool = WorkerPool(1, plugins_directory, plugins_directory)
    try:
        return [
            _not_started(chain, failure)
            for chain, spec in chains
            if (failure := pool.prepare(spec))
        ]
    finally:
        pool.stop()


def _not_started(chain: Sequence[ChainEntry], failure: HeldCopy) -> Mistake:
    message = f"{failure.hook or 'startup'} failed: {failure.reason}"
    blamed = next((entry for entry in chain if entry.plugin.name == failure.plugin), chain[0])
    return Mistake(blamed.position, blamed.path, message)


def _uncalled(
    chain: Sequence[ChainEntry], called: tuple[str, ...], place: str
) -> Iterator[Mistake]:
    for entry in chain:
        yield from _if_uncalled(entry.plugin, entry.path, entry.position, called, place)


def _if_uncalled(
    use: PluginUse, path: str, position: Position, called: tuple[str, ...], place: str
) -> Iterator[Mistake]:
    hooks = _hooks(use)
    if not hooks & set(called):
        has = ", ".join(sorted(hooks - _EVERYWHERE)) or "none (methods marked @hookimpl)"
        yield Mistake(
            position,
            path,
            f"none of its hooks would be called here: '{use.use}' has {has}; "
            f"{place} calls {', '.join(called)}",
        )


def _out_of_order(chain: Sequence[ChainEntry]) -> Iterator[Mistake]:
    """A chain runs hook by hook, so it is listed in the order of the plugins' first hooks."""
    latest, before = 0, ""
    for entry in chain:
        hooks = _hooks(entry.plugin)
        first = min((_ROUTE.index(hook) for hook in hooks if hook in _ROUTE), default=latest)
        if first < latest:
            yield Mistake(
                entry.position,
                entry.path,
                f"list it before '{before}': {_ROUTE[first]} is called before {_ROUTE[latest]}",
            )
        else:
            latest, before = first, entry.plugin.name


def has_hook(use: PluginUse, hook: str) -> bool:
    """Whether the plugin, which `check_plugin` found nothing wrong with, has that hook."""
    return hook in _hooks(use)


def with_hooks(chain: Iterable[ChainEntry], hooks: Iterable[str]) -> list[ChainEntry]:
    """Those of a chain that have any of these hooks."""
    return [entry for entry in chain if _hooks(entry.plugin) & set(hooks)]


def hooks_in(chain: Iterable[ChainEntry]) -> set[str]:
    """The hooks that plugins of the chain have."""
    return {hook for entry in chain for hook in _hooks(entry.plugin)}


def _known_destinations(use: PluginUse) -> set[str]:
    return set(getattr(build_plugin(plugin_spec(use)), "known_destinations", ()))


def _hooks(use: PluginUse) -> set[str]:
    return hooks_of(Link(use.name, build_plugin(plugin_spec(use))))


def _of_option(use: PluginUse, error: OptionError) -> Mistake:
    """At the option's value; at its key if that is what is wrong; else at the plugin."""
    path = ".".join(error.path)
    positions = use.option_keys if error.about_key else use.option_positions
    position = positions.get(path) or use.option_positions.get("") or use.position
    options = use.path if use.inline else f"{use.path}.options"
    return Mistake(position, f"{options}.{path}" if path else options, error.message)
