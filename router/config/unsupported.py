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
    ("listeners.*.tls", ("*",)),
    ("listeners.*.acknowledge", ("processed", "delivered")),
    ("listeners.*.accept.user", ("*",)),
    (
        "listeners.*.transfer_syntaxes.*",
        ("1.2.840.10008.1.2.1.99", "DeflatedExplicitVRLittleEndian", "Deflated Explicit VR *"),
    ),
    ("peers.*.certificate", ("*",)),
    ("peers.*.services.*", ("find", "move", "get", "worklist")),
    ("destinations.*.type", ("dicomweb",)),
    ("destinations.*.transfer_syntaxes.*", ("*",)),
    *(
        (f"destinations.*.{key}", ("*",))
        for key in (
            *("tls", "resend", "spool_limit", "when_full", "fallback", "schedule", "bandwidth"),
            *("required", "outside", "when_removed", "query", "index"),
        )
    ),
    ("routes.*.study_quiet", ("*",)),
    ("routes.*.deliver", ("*",)),
    ("query_retrieve", ("*",)),
    ("tests", ("*",)),
    ("web", ("*",)),
)


def refuse_unsupported(root: Section, findings: Findings) -> None:
    """Find every use of what is not supported, and take it out of the tree."""
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
    return node.items if isinstance(node, Listing) and name == "*" else []


def _refuse(parent: Node, last: str, values: tuple[str, ...], findings: Findings) -> None:
    if isinstance(parent, Section) and (entry := parent.entries.get(last)):
        if values == ("*",):
            message = f"'{last}' is not supported by this version yet"
            findings.add(entry.key_position, parent.path_of(last), message)
            del parent.entries[last]
        elif isinstance(entry.node, Scalar) and _is_one_of(entry.node, values):
            _refuse_value(entry.node, findings)
            del parent.entries[last]
    elif isinstance(parent, Listing) and last == "*":
        for item in parent.items:
            if isinstance(item, Scalar) and _is_one_of(item, values):
                _refuse_value(item, findings)
    elif isinstance(parent, Scalar) and last == "*" and _is_one_of(parent, values):
        _refuse_value(parent, findings)


def _is_one_of(scalar: Scalar, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(scalar.raw, pattern) for pattern in patterns)


def _refuse_value(scalar: Scalar, findings: Findings) -> None:
    findings.breaks(
        scalar.position, scalar.path, f"'{scalar.raw}' is not supported by this version yet"
    )
