"""Keys and values of the design that this version does not carry out yet, refused as such.

The one list of them: a piece of work that carries one out deletes its entry here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from router.config.tree import Findings, Listing, Node, Scalar, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

# Path of the key (`*`: any name or item) and the values meant, `*` for every one.
NOT_SUPPORTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("spool.queue", ("postgresql*",)),
    ("destinations.*.type", ("dicomweb",)),
)


def refuse_unsupported(root: Section, findings: Findings) -> None:
    """Find every use of what is not supported; nothing more is said of it."""
    for path, values in NOT_SUPPORTED:
        *above, last = path.split(".")
        for parent in _at(root, above):
            _refuse(parent, last, values, findings)


def _at(node: Node, path: list[str]) -> Iterator[Node]:
    if not path:
        yield node
        return
    for child in _children(node, path[0]):
        yield from _at(child, path[1:])


def _children(node: Node, name: str) -> list[Node]:
    if isinstance(node, Section):
        if name == "*":
            return [entry.node for entry in node.entries.values()]
        return [entry.node] if (entry := node.entries.get(name)) else []
    if name != "*":
        return []
    return node.items if isinstance(node, Listing) else [node]  # one needs no brackets


def _refuse(parent: Node, last: str, values: tuple[str, ...], findings: Findings) -> None:
    entry = parent.entries.get(last) if isinstance(parent, Section) else None
    if isinstance(parent, Section) and entry and values == ("*",):
        message = f"'{last}' is not supported by this version yet"
        findings.add(entry.key_position, parent.path_of(last), message)
        del parent.entries[last]
        return
    for node in _children(parent, last):
        if isinstance(node, Scalar) and any(fnmatchcase(node.raw, each) for each in values):
            message = f"{node.raw} is not supported by this version yet"
            findings.breaks(node.position, node.path, message)
