"""From a file to a checked configuration, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from router.config.chains import ChainReader
from router.config.cross_checks import cross_check
from router.config.examples import ExampleReader
from router.config.explaining import explain
from router.config.including import merge_included
from router.config.lints import HasHook, find_lints
from router.config.mistakes import ConfigError, Mistake, in_order
from router.config.model import Config
from router.config.plugin_use import PluginUse
from router.config.reading import read_tree
from router.config.tree import Findings, Listing, Node, Scalar, Section, described, is_empty, plain
from router.config.unsupported import refuse_unsupported
from router.config.when_parsing import WhenParser

_OWN_EMPTINESS = ("plugins", "chain", "when", "options", "header", "values")

PluginCheck = Callable[[PluginUse], Iterable[Mistake]]


def load(
    path: str | Path,
    *,
    check_plugin: PluginCheck | None = None,
    known_plugins: Collection[str] | None = None,
    has_hook: HasHook | None = None,
) -> Config:
    """Read and check a configuration; ConfigError has every mistake, `Config.lints` every lint.

    `known_plugins` are the names of shipped and installed plugins; without it, any name is taken.
    `check_plugin` is asked about every plugin used whose options could be read, `has_hook` whether
    one of a configuration without mistakes has a hook.
    """
    findings = Findings()
    directory = Path(path).absolute().parent
    root = read_tree(str(path), directory, findings)
    if root is None:
        raise ConfigError(findings.mistakes)
    merge_included(root, directory, findings)
    refuse_unsupported(root, findings)
    loader = _Loader(root, directory, findings, known_plugins)
    data = loader.read()
    cross_check(root, findings)
    for use in loader.chains.used:
        if check_plugin and findings.broken.isdisjoint(use.option_positions.values()):
            findings.mistakes += check_plugin(use)
    lints = [mistake for mistake in findings.mistakes if mistake.level == "lint"]
    try:
        config = Config.model_validate(data, context={"directory": directory})
    except ValidationError as error:
        explain(error, root, findings)
    _refuse_empty(root, findings)
    if len(findings.mistakes) > len(lints):
        raise ConfigError(findings.mistakes)
    found = in_order([*lints, *find_lints(root, config, has_hook)])
    return config.model_copy(update={"lints": found})


class _Loader:
    """Makes of a tree what the model takes: plain values, and plugins and conditions built."""

    def __init__(
        self, root: Section, directory: Path, findings: Findings, known: Collection[str] | None
    ) -> None:
        self._root = root
        self._findings = findings
        names = {"peer": _names(root.get("peers")), "listener": _names(root.get("listeners"))}
        self._when_parser = WhenParser(findings, directory, names)
        self.chains = ChainReader(findings, directory, known, self._when_parser)

    def read(self) -> dict[str, Any]:
        root = self._root
        for key in [key for key, entry in root.entries.items() if is_empty(entry.node)]:
            del root.entries[key]  # `routes:` with nothing below is no routes yet
        self.chains.read_plugins(root.get("plugins"))
        data: dict[str, Any] = plain(root, tuple)
        data["plugins"] = self.chains.named
        for name, listener in root.sections("listeners"):
            self._put_chain(data["listeners"][name], listener)
        for name, destination in root.sections("destinations"):
            self._read_destination(data["destinations"], name, destination)
        routes = root.get("routes")
        for index, route in enumerate(routes.items if isinstance(routes, Listing) else ()):
            if isinstance(route, Section):
                self._read_route(data["routes"][index], route)
        queries = root.get("query_retrieve")
        for index, entry in enumerate(queries.items if isinstance(queries, Listing) else ()):
            if isinstance(entry, Section):
                data["query_retrieve"][index]["(position)"] = entry.position
                self._put_chain(data["query_retrieve"][index], entry)
        self._read_tests(data)
        return data

    def _put_chain(self, data: dict[str, Any], section: Section) -> None:
        chain = section.get("chain")
        if chain is not None:
            data["chain"] = self.chains.read_chain(chain)

    def _read_destination(self, data: dict[str, Any], name: str, section: Section) -> None:
        self._put_chain(data[name], section)
        kind = section.get("type")
        named = kind.value if isinstance(kind, Scalar) else None
        if isinstance(named, str) and named not in ("dicom", "folder"):
            plugin = self.chains.read_destination(name, section)
            if plugin is None:  # its keys cannot be judged without knowing what it is
                del data[name]
            else:
                data[name] |= {"options": plugin.options, "(plugin)": plugin}

    def _read_route(self, data: dict[str, Any], route: Section) -> None:
        data["(position)"] = route.position
        self._put_chain(data, route)
        when = route.get("when")
        if when is not None and data["when"] != "otherwise":
            data["when"] = self._when_parser.parse(when)

    def _read_tests(self, data: dict[str, Any]) -> None:
        reader = ExampleReader(self._root, self._findings, self._when_parser)
        tests = self._root.get("tests")
        for index, example in enumerate(tests.items if isinstance(tests, Listing) else ()):
            if isinstance(example, Section):
                reader.read(data["tests"][index], example)


def _refuse_empty(node: Node, findings: Findings) -> None:
    """A key with nothing after it is no way to say its default."""
    for item in node.items if isinstance(node, Listing) else ():
        _refuse_empty(item, findings)
    told = {mistake.position for mistake in findings.mistakes}
    for key, entry in node.entries.items() if isinstance(node, Section) else ():
        if entry.node.position in told or key in _OWN_EMPTINESS:
            continue
        if is_empty(entry.node):
            findings.wrong(entry.node, f"{described(entry.node)}; leave it out for its default")
        _refuse_empty(entry.node, findings)


def _names(node: Node | None) -> list[str]:
    return list(node.entries) if isinstance(node, Section) else []
