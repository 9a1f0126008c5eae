"""A configuration file as a tree that knows where everything stands, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from router.config.mistakes import Mistake, Position, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(slots=True)
class Scalar:
    """One value; `raw` is its text in the file, without quotes."""

    position: Position
    path: str
    value: str | int | float | bool | None
    raw: str


@dataclass(slots=True)
class Listing:
    """`[a, b]` or lines beginning with `-`."""

    position: Position
    path: str
    items: list[Node]


@dataclass(slots=True)
class Entry:
    """A key and its value."""

    key_position: Position
    node: Node


@dataclass(slots=True)
class Section:
    """`{key: value}` or lines of `key: value`; `raw` is its text if it has braces."""

    position: Position
    path: str
    entries: dict[str, Entry]
    raw: str = ""

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry.node if entry else None

    def path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def sections(self, key: str) -> Iterator[tuple[str, Section]]:
        """Those entries of the section at `key` that are sections themselves, with their names."""
        within = self.get(key)
        for name, entry in within.entries.items() if isinstance(within, Section) else ():
            if isinstance(entry.node, Section):
                yield name, entry.node


Node = Scalar | Listing | Section


@dataclass
class Findings:
    """All that is wrong so far. Of what is `broken` already nothing more is said."""

    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[Position] = field(default_factory=set)

    def add(
        self,
        position: Position,
        path: str,
        message: str,
        level: Literal["error", "lint"] = "error",
    ) -> None:
        if position not in self.broken:
            self.mistakes.append(Mistake(position, path, message, level))

    def breaks(self, position: Position, path: str, message: str) -> None:
        self.add(position, path, message)
        self.broken.add(position)

    def wrong(self, node: Node, message: str) -> None:
        self.add(node.position, node.path, message)

    def unknown(self, section: Section, known: Iterable[str]) -> None:
        """Say of each key that is not `known` that it is not."""
        names = list(known)
        for key in section.entries.keys() - set(names):
            position = section.entries[key].key_position
            self.add(position, section.path_of(key), f"unknown key '{key}'{suggest(key, names)}")


def plain(node: Node, listing: type[list[Any]] | type[tuple[Any, ...]] = list) -> Any:  # noqa: ANN401
    """The values alone, as Python has them."""
    match node:
        case Scalar():
            return node.value
        case Listing():
            return listing(plain(item, listing) for item in node.items)
        case Section():
            return {key: plain(entry.node, listing) for key, entry in node.entries.items()}


def from_plain(
    value: object, path: str, position: Position, positions: Mapping[str, Position], at: str = ""
) -> Node:
    """The tree of plain values whose positions are known by dotted path from here (`at`)."""
    here = positions.get(at, position)
    path_here = f"{path}.{at}" if at and path else path or at

    def below(key: object, child: object) -> Node:
        return from_plain(child, path, here, positions, f"{at}.{key}" if at else str(key))

    if isinstance(value, dict):
        entries = {str(key): Entry(here, below(key, child)) for key, child in value.items()}
        return Section(here, path_here, entries)
    if isinstance(value, list | tuple):
        return Listing(here, path_here, [below(i, child) for i, child in enumerate(value)])
    if value is None or isinstance(value, str | int | float | bool):
        return Scalar(here, path_here, value, str(value))
    raise TypeError(f"{type(value).__name__} is not a plain value")


def positions_below(node: Node, at: str = "") -> tuple[dict[str, Position], dict[str, Position]]:
    """The positions of all values in `node`, and of all keys, by dotted path from it."""
    values, keys = {at: node.position}, {}
    match node:
        case Section():
            children = [(key, entry.node) for key, entry in node.entries.items()]
            keys = {_join(at, key): entry.key_position for key, entry in node.entries.items()}
        case Listing():
            children = [(str(index), item) for index, item in enumerate(node.items)]
        case Scalar():
            children = []
    for key, child in children:
        below_values, below_keys = positions_below(child, _join(at, key))
        values |= below_values
        keys |= below_keys
    return values, keys


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def scalars(node: Node | None) -> Iterator[Scalar]:
    """The values of a list that are single ones, or the one value instead of it."""
    for item in node.items if isinstance(node, Listing) else [node]:
        if isinstance(item, Scalar):
            yield item


def route_sections(root: Section) -> list[Section]:
    """The routes of a whole configuration, in file order."""
    routes = root.get("routes")
    items = routes.items if isinstance(routes, Listing) else []
    return [item for item in items if isinstance(item, Section)]


def is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def described(node: Node) -> str:
    """What a value is instead of text, and how to make it text where that can be meant."""
    if isinstance(node, Listing):
        return "is a list here"
    if isinstance(node, Section):
        is_template = node.raw and all(is_empty(entry.node) for entry in node.entries.values())
        return "is a mapping here" + (f'; quote it: "{node.raw}"' if is_template else "")
    match node.value:
        case None:
            return "is empty here"
        case bool():
            return f'is true or false here; quote it: "{node.raw}"'
        case int() | float():
            return f'is a number here; quote it: "{node.raw}"'
        case str():
            return "is text here"


def instead(node: Node) -> str:
    """What stands there, after what is expected."""
    match node:
        case Listing():
            return "not a list"
        case Section():
            return "not a mapping"
        case Scalar(value=None):
            return "but it is empty"
    return f"not {node.value if isinstance(node.value, str) else node.raw}"
