"""Other files named by `include:`, merged into the tree of the main one."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from router.config.files import file_names
from router.config.reading import read_tree
from router.config.tree import Entry, Findings, Listing, Scalar, Section

if TYPE_CHECKING:
    from collections.abc import Iterator


def merge_included(root: Section, directory: Path, findings: Findings) -> None:
    """Read what `root` includes, in name order, each into its sections and lists.

    Paths are relative to `directory`; names are shown relative to the main file as it was given.
    """
    given = Path(root.position.file).parent
    for pattern in _patterns(root):
        names = file_names(directory, pattern.raw)
        if not names and not glob.has_magic(pattern.raw):
            findings.wrong(pattern, f"there is no file {pattern.raw}")
        for name in names:
            included = read_tree(str(given / name), directory, findings)
            if included is not None:
                _merge(root, included, findings)


def _patterns(root: Section) -> Iterator[Scalar]:
    include = root.get("include")
    for node in include.items if isinstance(include, Listing) else [include]:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield node


def _merge(root: Section, included: Section, findings: Findings) -> None:
    for key, entry in included.entries.items():
        mine = root.entries.get(key)
        if key == "include":
            findings.add(entry.key_position, key, "only the main file includes others")
        elif mine is None:
            root.entries[key] = entry
        elif isinstance(mine.node, Section) and isinstance(entry.node, Section):
            _merge_section(mine.node, entry.node, findings)
        elif isinstance(mine.node, Listing) and isinstance(entry.node, Listing):
            mine.node.items.extend(entry.node.items)
        else:
            _refuse(key, entry, mine, findings)


def _merge_section(mine: Section, included: Section, findings: Findings) -> None:
    for key, entry in included.entries.items():
        if key in mine.entries:
            _refuse(mine.path_of(key), entry, mine.entries[key], findings)
        else:
            mine.entries[key] = entry


def _refuse(path: str, entry: Entry, first: Entry, findings: Findings) -> None:
    message = f"defined twice, first at {first.key_position}"
    findings.add(entry.key_position, path, message)
