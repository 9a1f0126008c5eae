"""What is wrong with `query_retrieve` that no single value of it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.mistakes import suggest
from router.config.tree import Listing, Scalar, Section, scalars

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from router.config.tree import Findings, Node


def query_sections(root: Section) -> list[Section]:
    """The entries of `query_retrieve`, in file order."""
    node = root.get("query_retrieve")
    items = node.items if isinstance(node, Listing) else []
    return [item for item in items if isinstance(item, Section)]


def check_queries(root: Section, findings: Findings) -> None:
    """Find names that lead nowhere, and what cannot be done together."""
    dicom = [
        name
        for name, destination in root.sections("destinations")
        if _word(destination.get("type")) in ("", "dicom")
    ]
    indexed = [
        name
        for name, destination in root.sections("destinations")
        if _word(destination.get("type")) == "folder" and _is_true(destination.get("index"))
    ]
    taken = {
        name.raw: name
        for route in _sections(root.get("routes"))
        if isinstance(name := route.get("name"), Scalar)
    }
    for entry in query_sections(root):
        _check_name(entry, taken, findings)
        _check_known(entry.get("listener"), "listener", _names(root, "listeners"), findings)
        what = "destination of type dicom"
        _check_known(entry.get("move_destinations"), what, dicom, findings)
        what = "destination of type dicom, or folder with `index: true`:"
        _check_known(entry.get("upstreams"), what, [*dicom, *indexed], findings)
        accept = entry.get("accept")
        if isinstance(accept, Section):
            peers = [*_names(root, "peers"), "all"]
            _check_known(accept.get("peers"), "peer", peers, findings)
        _check_direct(entry, root, findings)


def _check_name(entry: Section, taken: dict[str, Scalar], findings: Findings) -> None:
    """Names are one kind: what was retrieved is in the queue under them, as under a route's."""
    name = entry.get("name")
    if isinstance(name, Scalar):
        first = taken.setdefault(name.raw, name)
        if first is not name:
            message = f"a second use of the name '{name.raw}', the first is at {first.position}"
            findings.wrong(name, message)


def _check_direct(entry: Section, root: Section, findings: Findings) -> None:
    instances = entry.get("instances")
    if not isinstance(instances, Scalar) or instances.value != "direct":
        return
    chain = entry.get("chain")
    if chain is not None and not (isinstance(chain, Listing) and not chain.items):
        message = (
            "`direct` with a chain: the upstream would send around it; use `through`, or no chain"
        )
        findings.wrong(instances, message)
    upstreams = {node.raw for node in scalars(entry.get("upstreams"))}
    for name, destination in root.sections("destinations"):
        if name in upstreams and _word(destination.get("type")) == "folder":
            message = f"`direct` needs C-MOVE, and upstream '{name}' is a folder: use `through`"
            findings.wrong(instances, message)
        query = destination.get("query")
        gets = isinstance(query, Section) and _word(query.get("retrieve")) == "get"
        if name in upstreams and gets:
            message = (
                f"`direct` needs C-MOVE, and upstream '{name}' has `retrieve: get`: use `through`, "
                "or `retrieve: move`"
            )
            findings.wrong(instances, message)


def _check_known(node: Node | None, kind: str, known: Collection[str], findings: Findings) -> None:
    for name in scalars(node):
        if isinstance(name.value, str) and name.raw not in known:
            findings.wrong(name, f"unknown {kind} '{name.raw}'{suggest(name.raw, known)}")


def _sections(node: Node | None) -> Iterator[Section]:
    for item in node.items if isinstance(node, Listing) else ():
        if isinstance(item, Section):
            yield item


def _names(root: Section, key: str) -> list[str]:
    return [name for name, _ in root.sections(key)]


def _word(node: Node | None) -> str:
    return node.raw if isinstance(node, Scalar) else ""


def _is_true(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.value is True
