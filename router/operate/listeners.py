"""The ports of a configuration: kept where they stay the same, opened before others close."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from router.config import server_context
from router.wire import Acceptor, AcceptorLimits, Census, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from router.config import Config, Listener
    from router.wire import Service

    Place = tuple[str, int, str]


class Listeners:
    """`service` makes a listener's by its name, going by the current generation; `ending` one
    that stays with the generation there is.
    """

    def __init__(self, service: Callable[[str], Service], ending: Callable[[str], Service]) -> None:
        self._service = service
        self._ending = ending
        self._names: dict[str, Place] = {}
        self._acceptors: dict[Place, Acceptor] = {}
        self._retired: list[Acceptor] = []
        self._census = Census()

    def __getitem__(self, name: str) -> Acceptor:
        return self._acceptors[self._names[name]]

    def open(self, config: Config) -> dict[Place, Acceptor]:
        """Sockets for what is new in a configuration, to be `follow`ed or closed. OSError says
        which listener cannot have its port.
        """
        opened: dict[Place, Acceptor] = {}
        try:
            for name, listener in config.listeners.items():
                place = _place(name, listener)
                if place not in self._acceptors:
                    opened[place] = self._opened(name, listener)
        except OSError:
            close(opened)
            raise
        return opened

    def _opened(self, name: str, listener: Listener) -> Acceptor:
        beside = [
            acceptor
            for (bind, port, _), acceptor in self._acceptors.items()
            if port == listener.port and port
        ]
        try:
            service, limits, tls = self._service(name), _limits(listener), _tls(listener)
            return Acceptor(
                listener.bind, listener.port, service, limits, beside, tls, self._census
            )
        except OSError as error:
            where = f"{listener.bind} port {listener.port}"
            why = (error.strerror or "").partition(" (")[0]
            raise OSError(f"listener {name} cannot listen on {where}: {why}") from error

    def prepare(self, config: Config) -> None:
        """Those that go, or are another's from now on, stay with the generation there is."""
        after = {_place(name, listener): name for name, listener in config.listeners.items()}
        for name, place in self._names.items():
            if after.get(place) != name:
                self._acceptors[place].service = self._ending(name)

    def follow(self, config: Config, opened: Mapping[Place, Acceptor]) -> None:
        """Listen on what was opened, then no more on what the configuration does not have."""
        before, self._acceptors = self._acceptors, {}
        self._census.most = config.maximum_associations
        names = {}
        for name, listener in config.listeners.items():
            place = names[name] = _place(name, listener)
            acceptor = self._acceptors[place] = opened.get(place) or before[place]
            if self._names.get(name) != place:
                acceptor.service = self._service(name)
            acceptor.limits = _limits(listener)
            acceptor.tls = _tls(listener)
        self._names = names
        for acceptor in opened.values():
            acceptor.start()
        for place in before.keys() - self._acceptors.keys():
            before[place].retire()
            self._retired.append(before[place])

    def tidy(self) -> None:
        """Close those that nobody uses any more."""
        for acceptor in [each for each in self._retired if each.idle]:
            acceptor.close()
            self._retired.remove(acceptor)

    def close(self, patience: float) -> None:
        """Stop listening, wait so many seconds for associations to end, abort the rest."""
        everyone = [*self._acceptors.values(), *self._retired]
        for acceptor in everyone:
            acceptor.close()
        deadline = time.monotonic() + patience
        for acceptor in everyone:
            acceptor.drain(max(deadline - time.monotonic(), 0))


def close(opened: Mapping[Place, Acceptor]) -> None:
    """Those that were opened for a configuration that did not come to be."""
    for acceptor in opened.values():
        acceptor.close()


def _place(name: str, listener: Listener) -> Place:
    """What makes it the same socket; where any port will do, the name."""
    return listener.bind, listener.port, "" if listener.port else name


def _limits(listener: Listener) -> AcceptorLimits:
    given = listener.limits
    return AcceptorLimits(
        maximum_associations=listener.maximum_associations,
        associations_per_address=given.associations_per_address,
        requests_per_minute=given.requests_per_minute,
        maximum_pdu=given.pdu,
        association_request=given.association_request,
        presentation_contexts=given.presentation_contexts,
        command_set=given.command_set,
        identifier=given.identifier,
        pending_connections=given.connections,
        artim=given.artim,
        idle=given.idle,
        pace=Pace(given.stall, given.minimum_rate),
    )


def _tls(listener: Listener) -> SSLContext | None:
    return server_context(listener.tls) if listener.tls else None
