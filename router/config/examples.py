"""Reads `tests:`: what each example is given as elements, and what of it is to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_VR

from router.config.measures import ORDERED
from router.config.mistakes import suggest
from router.config.tree import Findings, Listing, Node, Scalar, Section, described, positions_below
from router.config.when import Exact
from router.config.when_values import element_test
from router.dataset import Path, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.config.when import When
    from router.config.when_parsing import WhenParser

Header = dict[Path, tuple[str, ...]]

_WITHOUT_TEXT = ("SQ", "AT", "OB", "OD", "OF", "OL", "OV", "OW")


class ExampleReader:
    """Reads the examples of the configuration `root`."""

    def __init__(self, root: Section, findings: Findings, when_parser: WhenParser) -> None:
        self._findings = findings
        self._when_parser = when_parser
        self._names = {
            "listener": [name for name, _ in root.sections("listeners")],
            "destination": [name for name, _ in root.sections("destinations")],
            "route": list(_route_names(root)),
        }

    def read(self, data: dict[str, Any], example: Section) -> None:
        """Put into `data` what the model takes built, and find names that lead nowhere."""
        _, keys = positions_below(example)
        data["(position)"], data["(positions)"] = example.position, keys
        header, expect = example.get("header"), example.get("expect")
        if isinstance(header, Section):
            data["header"] = self._header(header)
        if isinstance(association := example.get("association"), Section):
            self._check_names(association.get("listener"), "listener")
        if isinstance(expect, Section):
            for key in ("routes", "skipped", "held"):
                self._check_names(expect.get(key), "route")
            self._check_names(expect.get("destinations"), "destination")
            if values := expect.get("values"):
                data["expect"]["values"] = self._values(values)

    def _check_names(self, node: Node | None, kind: str) -> None:
        known = self._names[kind]
        for name in _each(node) if node else ():
            if isinstance(name, Scalar) and isinstance(name.value, str) and name.raw not in known:
                self._findings.wrong(name, f"unknown {kind} '{name.raw}'{suggest(name.raw, known)}")

    def _header(self, section: Section) -> Header:
        header: Header = {}
        for key, entry in section.entries.items():
            try:
                path = parse_path(key)
                header[path] = tuple(_value(node, path) for node in _each(entry.node))
            except _Wrong as wrong:
                self._findings.wrong(wrong.node, str(wrong))
            except ValueError as error:
                self._findings.add(entry.key_position, section.path_of(key), str(error))
        return header

    def _values(self, node: Node) -> Mapping[str, When]:
        """Conditions on what leaves by route; under "" those on whatever leaves."""
        if not isinstance(node, Section):
            return {"": self._when_parser.parse(node)}
        every = Section(node.position, node.path, dict(node.entries))
        found = {
            name: self._when_parser.parse(every.entries.pop(name).node)
            for name in self._names["route"]
            if isinstance(node.get(name), Section)
        }
        return {"": self._when_parser.parse(every), **found}


def _route_names(root: Section) -> Iterator[str]:
    routes = root.get("routes")
    for route in routes.items if isinstance(routes, Listing) else ():
        name = route.get("name") if isinstance(route, Section) else None
        if isinstance(name, Scalar):
            yield name.raw


class _Wrong(ValueError):
    """A value that does not fit its element."""

    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.node = node


def _each(node: Node) -> list[Node]:
    if isinstance(node, Listing):
        return node.items
    return [] if isinstance(node, Scalar) and node.value is None else [node]


def _value(node: Node, path: Path) -> str:
    vr = _vr(path)
    if vr in _WITHOUT_TEXT:
        below = f": name an element in it ({path}.Keyword)" if vr == "SQ" else ""
        raise ValueError(f"{path} has VR {vr} and cannot be given as text{below}")
    if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
        raise _Wrong(node, described(node))
    if not isinstance(node.value, str):
        if vr not in ORDERED:
            raise _Wrong(node, described(node))
        return node.raw
    if vr != "UI":
        return node.value
    try:
        test = element_test(node, vr)
    except ValueError as error:
        raise _Wrong(node, str(error)) from None
    return test.value if isinstance(test, Exact) else node.value


def _vr(path: Path) -> str:
    step = path.steps[-1]
    try:
        return dictionary_VR(step.tag)[:2] if step.creator is None else "LO"
    except KeyError:
        return "LO"
