"""Reads `plugins:` and every `chain:` into the plugins they use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.mistakes import nearest, suggest
from router.config.plugin_use import ChainEntry, PluginUse
from router.config.tree import (
    Entry,
    Findings,
    Listing,
    Node,
    Scalar,
    Section,
    described,
    instead,
    plain,
    positions_below,
)
from router.config.units import duration

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from router.config.when_parsing import WhenParser

_TIMEOUT = 30.0
_BESIDE = ("when", "timeout")
_SHAPE = "expected a plugin's name, or `name: options`"


class ChainReader:
    """Reads the plugins of one configuration; `known` are shipped and installed ones, if known."""

    def __init__(
        self,
        findings: Findings,
        directory: Path,
        known: Collection[str] | None,
        when_parser: WhenParser,
    ) -> None:
        self._findings = findings
        self._directory = directory
        self._known = known
        self._when_parser = when_parser
        self._unusable: set[str] = set()  # names in `plugins:` that something is wrong with
        self.named: dict[str, PluginUse] = {}
        self.used: list[PluginUse] = []  # every plugin once, those inside chains too

    def read_plugins(self, node: Node | None) -> None:
        """The entries of `plugins:`, found by their names in chains from then on."""
        if node is None:
            return
        if not isinstance(node, Section):
            self._findings.wrong(node, f"expected plugins by name, {instead(node)}")
            return
        for name, entry in node.entries.items():
            if isinstance(entry.node, Section):
                self._read_named(name, entry, entry.node)
            else:
                self._unusable.add(name)
                self._findings.wrong(
                    entry.node, f"expected `use:` and `options:`, {instead(entry.node)}"
                )

    def _read_named(self, name: str, entry: Entry, node: Section) -> None:
        self._findings.unknown(node, ("use", "options", "timeout"))
        use = node.get("use")
        if use is None:
            self._findings.add(entry.key_position, node.path, "'use' is missing: which plugin")
        elif not isinstance(use, Scalar) or not isinstance(use.value, str):
            self._findings.wrong(use, described(use))
        elif self._is_known(use):
            timeout = self._timeout(node, _TIMEOUT)
            options = node.entries.get("options")
            self.named[name] = self._use(name, use.value, options, node, timeout, inline=False)
            return
        self._unusable.add(name)

    def read_chain(self, node: Node) -> tuple[ChainEntry, ...]:
        """The steps of a chain; what is wrong is left out and found."""
        items = node.items if isinstance(node, Listing) else [node]  # one needs no brackets
        steps = [self._read_step(item) for item in items]
        return tuple(step for step in steps if step is not None)

    def read_destination(self, name: str, node: Section) -> PluginUse | None:
        """The plugin of a destination whose `type` is one; None if it cannot be."""
        kind = node.get("type")
        if not isinstance(kind, Scalar) or not isinstance(kind.value, str):
            return None
        if kind.position in self._findings.broken or not self._is_known(kind, "dicom", "folder"):
            return None
        return self._use(
            name, kind.value, node.entries.get("options"), node, _TIMEOUT, inline=False
        )

    def _read_step(self, node: Node) -> ChainEntry | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            plugin = self._named_or_bare(node.value, node)
            return self._step(plugin, None, node) if plugin else None
        names = (
            [key for key in node.entries if key not in _BESIDE] if isinstance(node, Section) else []
        )
        if not isinstance(node, Section) or not names:
            self._findings.wrong(node, f"{_SHAPE}, {instead(node)}")
            return None
        for extra in names[1:]:
            position = node.entries[extra].key_position
            message = f"a second plugin in one step; begin a line with '- {extra}:'"
            if hint := nearest(extra, _BESIDE):
                message = f"unknown key '{extra}'{hint}"
            self._findings.add(position, node.path_of(extra), message)
        plugin = self._with_options(names[0], node.entries[names[0]], node)
        return self._step(plugin, node, node) if plugin else None

    def _step(self, plugin: PluginUse, beside: Section | None, node: Node) -> ChainEntry:
        when = beside.get("when") if beside else None
        return ChainEntry(
            plugin=plugin,
            when=self._when_parser.parse(when) if when else None,
            timeout=self._timeout(beside, plugin.timeout) if beside else plugin.timeout,
            path=node.path,
            position=node.position,
        )

    def _named_or_bare(self, name: str, node: Scalar) -> PluginUse | None:
        if name in self.named:
            return self.named[name]
        if name in self._unusable or not self._is_known(node, *self.named, *self._unusable):
            return None
        return self._use(name, name, None, node, _TIMEOUT, inline=True)

    def _with_options(self, name: str, options: Entry, step: Section) -> PluginUse | None:
        empty = isinstance(options.node, Scalar) and options.node.value is None
        if name in self.named:
            if not empty:
                message = f"'{name}' has its options in plugins.{name}; here only its name"
                self._findings.wrong(options.node, message)
            return self.named[name]
        key = Scalar(options.key_position, step.path_of(name), name, name)
        if name in self._unusable or not self._is_known(key, *self.named, *self._unusable):
            return None
        return self._use(name, name, None if empty else options, key, _TIMEOUT, inline=True)

    def _is_known(self, name: Scalar, *others: str) -> bool:
        """Whether a plugin has that name; a FILE.py:Class is looked for when it is loaded."""
        if self._known is None or name.raw in self._known or ".py:" in name.raw:
            return True
        known = (*self._known, *others)
        message = f"unknown plugin '{name.raw}'{suggest(name.raw, sorted(known))}"
        self._findings.breaks(name.position, name.path, message)
        return False

    def _timeout(self, node: Section, default: float) -> float:
        timeout = node.get("timeout")
        if timeout is None:
            return default
        try:
            return duration(plain(timeout))
        except ValueError as error:
            self._findings.wrong(timeout, str(error))
            return default

    def _use(
        self,
        name: str,
        use: str,
        options: Entry | None,
        node: Node,
        timeout: float,
        *,
        inline: bool,
    ) -> PluginUse:
        values, keys = positions_below(options.node) if options else ({}, {})
        if options:
            self._refuse_altered_numbers(options.node)
        plugin = PluginUse(
            name=name,
            use=use,
            options=plain(options.node) if options else None,
            inline=inline,
            timeout=timeout,
            directory=self._directory,
            path=node.path,
            position=node.position,
            option_positions=values,
            option_keys=keys,
        )
        self.used.append(plugin)
        return plugin

    def _refuse_altered_numbers(self, node: Node) -> None:
        """`0012` is the number 12 to YAML, and the plugin could not know that it was not."""
        if isinstance(node, Listing):
            for item in node.items:
                self._refuse_altered_numbers(item)
        elif isinstance(node, Section):
            for entry in node.entries.values():
                self._refuse_altered_numbers(entry.node)
        elif type(node.value) is int and node.raw.isdecimal() and node.raw != str(node.value):
            self._findings.breaks(node.position, node.path, described(node))
