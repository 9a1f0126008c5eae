"""What no single value shows: names that lead nowhere, places taken twice, routes for nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from router.config.mistakes import suggest
from router.config.model import Listener, Web
from router.config.query_checks import check_queries
from router.config.tree import Findings, Listing, Node, Scalar, Section, route_sections, scalars

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from router.config.parts import Model

_ANY_ADDRESS = ("0.0.0.0", "::")
_LOOPBACK = ("127.", "::1", "localhost")


def cross_check(root: Section, findings: Findings) -> None:
    """Find what the parts of a configuration get wrong about each other."""
    _check_listeners(root, findings)
    for _, peer in root.sections("peers"):
        if not peer.entries.keys() & {"calling_ae_titles", "networks", "certificate"}:
            what = "calling_ae_titles, networks or a certificate"
            message = f"says nothing about who it is: give {what}"
            findings.wrong(peer, message)
        for named in _texts(peer.get("move_destinations")):
            if named.value != "all":
                _check_name(named, "destination", _names(root, "destinations"), findings)
    for _, destination in root.sections("destinations"):
        path = destination.get("path")
        if isinstance(path, Scalar) and "{SOPInstanceUID}" not in path.raw:
            message = "without {SOPInstanceUID} several instances can want the same file"
            findings.add(path.position, path.path, message, "lint")
        for status in scalars(destination.get("delivered_statuses")):
            if type(status.value) is int and re.fullmatch(r"0\d+", status.raw):
                findings.wrong(status, f"is the number {status.value} here; write 0x{status.raw}")
    _check_fallbacks(root, findings)
    _check_routes(root, findings)
    check_queries(root, findings)


def _check_fallbacks(root: Section, findings: Findings) -> None:
    """Each leads to another destination, and never back to where it began."""
    names = _names(root, "destinations")
    after: dict[str, Scalar] = {}
    for name, destination in root.sections("destinations"):
        fallback = destination.get("fallback")
        if isinstance(fallback, Scalar) and isinstance(fallback.value, str):
            _check_name(fallback, "destination", names, findings)
            after[name] = fallback
    for name, fallback in after.items():
        chain = [name]
        while chain[-1] in after and chain.count(name) == 1 and len(chain) <= len(after):
            chain.append(after[chain[-1]].raw)
        if chain[-1] == name and len(chain) > 1:
            findings.wrong(fallback, f"goes round in a circle: {' -> '.join(chain)}")


def _check_listeners(root: Section, findings: Findings) -> None:
    if not _names(root, "listeners"):
        message = "no listeners: nothing can be received"
        findings.add(root.position, "", message, "lint")
    taken: list[tuple[str, str, str]] = []
    for name, listener in root.sections("listeners"):
        _check_address(name, listener, taken, findings)
        accept = listener.get("accept")
        if isinstance(accept, Section):
            for peer in _texts(accept.get("peers")):
                if peer.value != "all":
                    _check_name(peer, "peer", _names(root, "peers"), findings)
        elif accept is None and not _written(listener, "bind", Listener).startswith(_LOOPBACK):
            entry = root.entries["listeners"].node
            assert isinstance(entry, Section)
            position = entry.entries[name].key_position
            message = "no `accept`: anybody who reaches this port may store"
            findings.add(position, listener.path, message, "lint")
    _check_web(root, taken, findings)


def _check_web(root: Section, taken: list[tuple[str, str, str]], findings: Findings) -> None:
    web = root.get("web")
    if not isinstance(web, Section):
        return
    bind, port = _written(web, "bind", Web), _written(web, "port", Web)
    _check_place(web, bind, port, taken, findings)
    if web.get("networks") is None and not bind.startswith(_LOOPBACK):
        message = "no `networks`: anybody who reaches this port sees how the router stands"
        findings.add(root.entries["web"].key_position, web.path, message, "lint")


def _check_address(
    name: str, listener: Section, taken: list[tuple[str, str, str]], findings: Findings
) -> None:
    bind, port = _written(listener, "bind", Listener), _written(listener, "port", Listener)
    _check_place(listener, bind, port, taken, findings)
    taken.append((name, bind, port))


def _check_place(
    section: Section,
    bind: str,
    port: str,
    taken: list[tuple[str, str, str]],
    findings: Findings,
) -> None:
    for other, other_bind, other_port in taken if port != "0" else ():
        if port == other_port and (bind == other_bind or {bind, other_bind} & set(_ANY_ADDRESS)):
            node = section.get("port") or section
            findings.wrong(node, f"{bind}:{port} is taken by listener '{other}' already")


def _written(section: Section, key: str, model: type[Model]) -> str:
    node = section.get(key)
    return node.raw if isinstance(node, Scalar) else str(model.model_fields[key].default)


def _check_routes(root: Section, findings: Findings) -> None:
    routes = route_sections(root)
    named: dict[str, Scalar] = {}
    for route in routes:
        name = route.get("name")
        if isinstance(name, Scalar):
            first = named.setdefault(name.raw, name)
            if first is not name:
                message = f"a second route named '{name.raw}', the first is at {first.position}"
                findings.wrong(name, message)
        for destination in _texts(route.get("to")):
            _check_name(destination, "destination", _names(root, "destinations"), findings)
        if _is_empty(route.get("to")) and _is_empty(route.get("chain")):
            findings.wrong(route.get("to") or route, "goes nowhere: neither `to` nor `chain`")
    _check_otherwise(routes, findings)


def _check_otherwise(routes: list[Section], findings: Findings) -> None:
    conditions = [route.get("when") for route in routes]
    otherwise = [c for c in conditions if isinstance(c, Scalar) and c.value == "otherwise"]
    for each in otherwise if len(otherwise) == len(routes) else ():
        findings.wrong(each, "`otherwise` needs other routes; without `when` a route is for all")


def _check_name(name: Scalar, kind: str, known: Collection[str], findings: Findings) -> None:
    if name.raw not in known:
        findings.wrong(name, f"unknown {kind} '{name.raw}'{suggest(name.raw, known)}")


def _names(root: Section, key: str) -> list[str]:
    node = root.get(key)
    return list(node.entries) if isinstance(node, Section) else []


def _texts(node: Node | None) -> Iterator[Scalar]:
    """The texts of a list, or the one text instead of it."""
    return (item for item in scalars(node) if isinstance(item.value, str))


def _is_empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, Listing) and not node.items)
