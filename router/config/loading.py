"""From a file to a checked configuration, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from router.config.chains import ChainReader
from router.config.cross_checks import cross_check
from router.config.explaining import explain
from router.config.including import merge_included
from router.config.mistakes import ConfigError, Mistake
from router.config.model import Config
from router.config.plugin_use import ChainEntry, PluginUse
from router.config.reading import read_tree
from router.config.tree import Findings, Listing, Node, Scalar, Section, plain
from router.config.unsupported import refuse_unsupported
from router.config.when_parsing import WhenParser

Place = Literal["listener", "destination", "route"]
PluginCheck = Callable[[PluginUse], Iterable[Mistake]]
ChainCheck = Callable[[Place, tuple[ChainEntry, ...]], Iterable[Mistake]]


def load(
    path: str | Path,
    *,
    check_plugin: PluginCheck | None = None,
    check_chain: ChainCheck | None = None,
    known_plugins: Collection[str] | None = None,
) -> Config:
    """Read and check a configuration; ConfigError has every mistake, `Config.lints` every lint.

    `known_plugins` are the names of shipped and installed plugins; without it, any name is taken.
    `check_plugin` is asked about every plugin used, `check_chain` about every chain with its place.
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
    if check_plugin:
        for use in loader.chains.used:
            findings.mistakes += check_plugin(use)
    if check_chain:
        for place, chain in loader.places:
            findings.mistakes += check_chain(place, chain)
    lints = [mistake for mistake in findings.mistakes if mistake.level == "lint"]
    try:
        config = Config.model_validate(
            {**data, "(lints)": tuple(lints)}, context={"directory": directory}
        )
    except ValidationError as error:
        explain(error, root, findings)
    if len(findings.mistakes) > len(lints):
        raise ConfigError(findings.mistakes)
    return config


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
        self.places: list[tuple[Place, tuple[ChainEntry, ...]]] = []

    def read(self) -> dict[str, Any]:
        root = self._root
        for key in [key for key, entry in root.entries.items() if _is_empty(entry.node)]:
            del root.entries[key]  # `routes:` with nothing below is no routes yet
        self.chains.read_plugins(root.get("plugins"))
        self._refuse_empty(root)
        data: dict[str, Any] = plain(root, tuple)
        data["plugins"] = self.chains.named
        for name, listener in root.sections("listeners"):
            self._put_chain(data["listeners"][name], "listener", listener)
        for name, destination in root.sections("destinations"):
            self._read_destination(data["destinations"], name, destination)
        routes = root.get("routes")
        for index, route in enumerate(routes.items if isinstance(routes, Listing) else ()):
            if isinstance(route, Section):
                self._read_route(data["routes"][index], route)
        return data

    def _refuse_empty(self, node: Node) -> None:
        if isinstance(node, Listing):
            for item in node.items:
                self._refuse_empty(item)
        for key, entry in node.entries.items() if isinstance(node, Section) else ():
            if _is_empty(entry.node):
                position = entry.node.position
                self._findings.breaks(
                    position, entry.node.path, "is empty: give a value, or leave the key out"
                )
            elif key not in ("plugins", "chain", "when", "options"):
                self._refuse_empty(entry.node)

    def _put_chain(self, data: dict[str, Any], place: Place, section: Section) -> None:
        if "chain" in section.entries:
            data["chain"] = self.chains.read_chain(section.get("chain"))
            self.places.append((place, data["chain"]))

    def _read_destination(self, data: dict[str, Any], name: str, section: Section) -> None:
        self._put_chain(data[name], "destination", section)
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
        self._put_chain(data, "route", route)
        when = route.get("when")
        if when is not None and data["when"] != "otherwise":
            data["when"] = self._when_parser.parse(when)


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _names(node: Node | None) -> list[str]:
    return list(node.entries) if isinstance(node, Section) else []
