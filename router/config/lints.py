"""What a configuration without mistakes still gets wrong about itself: allowed, worth a look."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

from router.config.expiry import expiring
from router.config.lints_of_conditions import condition_lints, deidentifies
from router.config.mistakes import Mistake
from router.config.model import DicomDestination
from router.config.plugin_use import PluginUse
from router.config.tree import Section, route_sections, scalars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.config.model import Config, Listener
    from router.config.tree import Node

HasHook: TypeAlias = Callable[[PluginUse, str], bool]

_ENDS = ("store_instance", "forward_instance", "study_complete")


def find_lints(root: Section, config: Config, has_hook: HasHook | None) -> Iterator[Mistake]:
    """Every lint; `has_hook` tells what plugins do: without it, they might do anything."""
    has = has_hook or (lambda use, hook: True)
    yield from condition_lints(root, config)
    yield from _leading_nowhere(root, config, has)
    yield from _unused(root, config, has)
    yield from _beside_its_fallback(root, config)
    yield from _identified_outside(root, config)
    yield from _own_listeners(root, config)
    yield from _waited_for_in_vain(root, config)
    yield from _told_to_everybody(root, config)
    yield from _never_shown(root, config)
    yield from _expiring(root, config)


def _leading_nowhere(root: Section, config: Config, has: HasHook) -> Iterator[Mistake]:
    for route, section in zip(config.routes, route_sections(root), strict=True):
        if route.to or any(has(step.plugin, hook) for step in route.chain for hook in _ENDS):
            continue
        message = "empty, and nothing in the chain stores or forwards: say where it goes"
        yield _lint(section.get("to") or section, message)


def _unused(root: Section, config: Config, has: HasHook) -> Iterator[Mistake]:
    """Destinations that no route, fallback, upstream or move destination names."""
    used = {name for route in config.routes for name in route.to}
    used |= {settings.fallback or "" for settings in config.destinations.values()}
    for query in config.query_retrieve:
        used |= {*query.upstreams, *query.move_destinations}
    steps = (step for route in config.routes for step in route.chain)
    if any(has(step.plugin, "forward_instance") for step in steps):
        return  # a plugin may add any
    destinations = root.get("destinations")
    for name, entry in destinations.entries.items() if isinstance(destinations, Section) else ():
        if name not in used:
            message = "nothing uses it: name it in a route's `to`, or take it out"
            yield Mistake(entry.key_position, entry.node.path, message, "lint")


def _beside_its_fallback(root: Section, config: Config) -> Iterator[Mistake]:
    for route, section in zip(config.routes, route_sections(root), strict=True):
        for node in scalars(section.get("to")):
            stand_ins = _stand_ins(config, node.raw)
            if beside := [name for name in stand_ins if name in route.to]:
                message = (
                    f"the route leads to '{node.raw}' and to its fallback '{beside[0]}', which has "
                    "everything already when it takes over: leave one of them out"
                )
                yield _lint(node, message)


def _identified_outside(root: Section, config: Config) -> Iterator[Mistake]:
    for route, section in zip(config.routes, route_sections(root), strict=True):
        if deidentifies(route.chain):
            continue
        for node in scalars(section.get("to")):
            for name in (node.raw, *_stand_ins(config, node.raw)):
                settings = config.destinations[name]
                if settings.outside and not deidentifies(settings.chain):
                    which = "" if name == node.raw else f", the fallback of '{node.raw}',"
                    message = (
                        f"'{name}'{which} is outside, and nothing deidentifies on the way: put "
                        "`deidentify`, without a `when`, into the chain"
                    )
                    yield _lint(node, message)


def _stand_ins(config: Config, name: str) -> Iterator[str]:
    """Its fallback, and that one's: what may take over. They lead in no circle."""
    while name := config.destinations[name].fallback or "":
        yield name


def _waited_for_in_vain(root: Section, config: Config) -> Iterator[Mistake]:
    """Senders that wait for deliveries which wait for them to be done."""
    waiting = [name for name, each in config.listeners.items() if each.acknowledge == "delivered"]
    for route, section in zip(config.routes, route_sections(root), strict=True):
        required = [name for name in route.to if config.destinations[name].required]
        if waiting and required and route.deliver == "study_complete":
            message = (
                f"listener '{waiting[0]}' answers when '{required[0]}' has it, which gets it when "
                "the sender is done: the sender hears a failure after acknowledge_timeout"
            )
            yield _lint(section.get("deliver") or section, message)


def _told_to_everybody(root: Section, config: Config) -> Iterator[Mistake]:
    """Secrets that others on the machine or on the network can read."""
    for name, section in root.sections("listeners"):
        listener, accept = config.listeners[name], section.get("accept")
        users = listener.accept and listener.accept.user
        node = accept.get("user") if isinstance(accept, Section) else None
        if users and node:
            yield from _readable(node, users.path)
            if listener.tls is None:
                yield _lint(node, "without `tls` passcodes travel in clear text: give it `tls`")
    for kind, owners in (("listeners", config.listeners), ("destinations", config.destinations)):
        for name, section in root.sections(kind):
            tls, part = getattr(owners[name], "tls", None), section.get("tls")
            if tls and tls.key and isinstance(part, Section) and (node := part.get("key")):
                yield from _readable(node, tls.key.path)


def _expiring(root: Section, config: Config) -> Iterator[Mistake]:
    """Certificates and revocation lists that will soon not do any more."""
    for each in expiring(config, datetime.now(UTC)):
        node: Node | None = root
        for key in each.place:
            node = node.get(key) if isinstance(node, Section) else None
        if node is not None:
            yield _lint(node, str(each))


def _never_shown(root: Section, config: Config) -> Iterator[Mistake]:
    asked = any(
        each.tls and each.tls.client_certificate != "none" for each in config.listeners.values()
    )
    for name, section in root.sections("peers"):
        node = section.get("certificate")
        if config.peers[name].certificate and node and not asked:
            message = "no listener has `tls` that asks for certificates: nobody is ever this peer"
            yield _lint(node, message)


def _readable(node: Node, path: Path) -> Iterator[Mistake]:
    try:
        everybody = path.stat().st_mode & stat.S_IROTH
    except OSError:
        return
    if everybody:
        message = f"everybody on this machine may read {path.name}: chmod o-r {path.name}"
        yield _lint(node, message)


def _own_listeners(root: Section, config: Config) -> Iterator[Mistake]:
    for name, section in root.sections("destinations"):
        settings = config.destinations[name]
        if not isinstance(settings, DicomDestination):
            continue
        for own, listener in config.listeners.items():
            if settings.port == listener.port and _is_here(settings.host, listener):
                message = f"listener '{own}' of this very router: what is sent there comes back"
                yield _lint(section.get("port") or section, message)


def _is_here(host: str, listener: Listener) -> bool:
    """Whether the host is certainly the listener's; no name server is asked."""
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return host.casefold() == socket.gethostname().casefold()
    bound = ip_address(listener.bind)
    if address.is_loopback:
        return bound.is_loopback or bound.is_unspecified
    return address == bound


def _lint(node: Node, message: str) -> Mistake:
    return Mistake(node.position, node.path, message, "lint")
