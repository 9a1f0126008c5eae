"""The plugins of one configuration in one process: built and started once, shared by its chains."""

from __future__ import annotations

import logging
import threading
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


_counting = threading.Lock()


class _Started:
    """A plugin object that was started, and how many configurations use it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.users = 0


class Plugins:
    """Plugin objects by their key; `directory` has a directory for each that `startup` gives it.

    What `previous` has started is used on, and shut down with its last user.
    """

    def __init__(self, directory: Path, previous: Plugins | None = None) -> None:
        self._directory = directory
        self._previous = dict(previous._started) if previous else {}
        self._started: dict[str, _Started] = {}

    def chain(self, spec: ChainSpec, watch: Watch | None = None) -> Chain:
        """The chain, with every plugin started. Raises HookFailed, for the constructor too."""
        told = watch or (lambda link, hook: None)
        links = []
        for index, link in enumerate(spec.links):
            key = link.plugin.key
            if key not in self._started:
                told(index, "startup")
                self._use(key, self._previous.get(key) or self._start(link.plugin, spec.sources))
                told(-1, "")
            plugin = self._started[key].link.plugin
            when = predicate(link.when, spec.timezone) if link.when else None
            links.append(Link(link.plugin.name, plugin, when))
        return Chain(links, watch)

    def all_built(self) -> None:
        """What only `previous` uses is not remembered any more."""
        self._previous.clear()

    def shutdown(self) -> None:
        """Shut every plugin down that nobody else uses; failures are logged."""
        with _counting:
            for started in self._started.values():
                started.users -= 1
            unused = [each.link for each in self._started.values() if not each.users]
            self._started.clear()
        Chain(unused).shutdown()

    def _use(self, key: str, started: _Started) -> None:
        with _counting:
            started.users += 1
        self._started[key] = started

    def _start(self, spec: PluginSpec, sources: Mapping[Path, bytes]) -> _Started:
        try:
            link = Link(spec.name, build_plugin(spec, sources))
        except PluginError as error:
            raise HookFailed(spec.name, "startup", str(error)) from None
        Chain([link]).startup(lambda link: plugin_context(link.name, self._directory))
        return _Started(link)


def build_plugin(spec: PluginSpec, sources: Mapping[Path, bytes] | None = None) -> object:
    """The plugin's object. Raises PluginError with the constructor's own words: there is no
    patient yet whom they could name.
    """
    plugin = load_plugin(spec.use, spec.directory, sources)
    try:
        return plugin(*spec.arguments, **spec.named)
    except (ValueError, TypeError) as error:
        raise PluginError(str(error)) from None
    except FileNotFoundError as error:  # most often one that an option names
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise PluginError(said) from None
    except (Exception, SystemExit) as error:
        raise PluginError(f"{error} ({describe(error)})") from None


def plugin_context(name: str, directory: Path) -> Context:
    """What `startup` gets: the directory is made, and the log never shows an exception's text."""
    own = directory / name
    own.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger(f"router.plugins.{name}")
    log.addFilter(withhold_exception_text)
    return Context(name, own, log)
