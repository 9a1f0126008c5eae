"""The plugins of one configuration in one process: built and started once, shared by its chains."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.instance import Context
from router.routing.chain import Chain, Link
from router.routing.failures import HookFailed, describe
from router.routing.matching import predicate
from router.routing.plugins import PluginError, load_plugin
from router.routing.worker_log import withhold_exception_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.routing.chain import Watch
    from router.routing.spec import ChainSpec, PluginSpec


class Plugins:
    """Plugin objects by their key; `directory` has a directory for each that `startup` gives it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: dict[str, Link] = {}

    def chain(self, spec: ChainSpec, watch: Watch | None = None) -> Chain:
        """The chain, with every plugin started. Raises HookFailed, for the constructor too."""
        told = watch or (lambda link, hook: None)
        links = []
        for index, link in enumerate(spec.links):
            if link.plugin.key not in self._started:
                told(index, "startup")
                self._started[link.plugin.key] = self._start(link.plugin, spec.sources)
                told(-1, "")
            plugin = self._started[link.plugin.key].plugin
            when = predicate(link.when, spec.timezone) if link.when else None
            links.append(Link(link.plugin.name, plugin, when))
        return Chain(links, watch)

    def shutdown(self) -> None:
        """Shut every plugin down; failures are logged."""
        Chain(self._started.values()).shutdown()
        self._started.clear()

    def _start(self, spec: PluginSpec, sources: Mapping[Path, bytes]) -> Link:
        try:
            link = Link(spec.name, build_plugin(spec, sources))
        except PluginError as error:
            raise HookFailed(spec.name, "startup", str(error)) from None
        Chain([link]).startup(lambda link: plugin_context(link.name, self._directory))
        return link


def build_plugin(spec: PluginSpec, sources: Mapping[Path, bytes] | None = None) -> object:
    """The plugin's object. Raises PluginError with the constructor's own words: there is no
    patient yet whom they could name.
    """
    plugin = load_plugin(spec.use, spec.directory, sources)
    try:
        return plugin(*spec.arguments, **spec.named)
    except (ValueError, TypeError) as error:
        raise PluginError(str(error)) from None
    except (Exception, SystemExit) as error:
        raise PluginError(f"{error} ({describe(error)})") from None


def plugin_context(name: str, directory: Path) -> Context:
    """What `startup` gets: the directory is made, and the log never shows an exception's text."""
    own = directory / name
    own.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger(f"router.plugins.{name}")
    log.addFilter(withhold_exception_text)
    return Context(name, own, log)
