"""Where something stands in a configuration that is refused only once its router has judged it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.including import merge_included
from router.config.mistakes import Position
from router.config.reading import read_tree
from router.config.tree import Findings, Node, Section

if TYPE_CHECKING:
    from pathlib import Path


def key_position(path: Path, *keys: str) -> Position:
    """The last key on the way that is written, each inside the one before; else the beginning."""
    findings, directory = Findings(), path.absolute().parent
    node: Node | None = read_tree(str(path), directory, findings)
    if isinstance(node, Section):
        merge_included(node, directory, findings)
    found = Position(str(path), 1, 1)
    for key in keys:
        entry = node.entries.get(key) if isinstance(node, Section) else None
        if entry is None:
            break
        found, node = entry.key_position, entry.node
    return found
