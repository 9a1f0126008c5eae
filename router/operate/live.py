"""What a running router answers on its control socket."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from router.operate.actions import Actions, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.operate.node import Node


class Live(Actions):
    """The actions of a router that runs: what only it knows, and what should happen at once."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.spool, node.config)
        self._node = node

    def table(self) -> dict[str, Callable[..., Any]]:
        return super().table() | {"reload": self.reload, "rollback": self.rollback}

    def status(self) -> Any:  # noqa: ANN401 - JSON
        node = self._node
        return super().status() | {
            "running": True,
            "version": version("dicom-router"),
            "pid": os.getpid(),
            "config": str(node.path),
            "started": node.started.isoformat(),
            "generation": node.generations.current.number,
            "applied": node.reloading.applied.isoformat(),
            "refused": plain(node.reloading.refused),
            "reloads": {"applied": node.reloading.reloads, "refused": node.reloading.refusals},
            "alarms": node.alarms.active,
            "routes": [route.name for route in node.config.routes],
            "web": {"address": node.web.address, "missing": node.web.missing},
            "listeners": [
                {
                    "name": name,
                    "bind": settings.bind,
                    "port": node.listeners[name].port,
                    "ae_title": settings.ae_title,
                    "associations": node.listeners[name].associations,
                }
                for name, settings in node.config.listeners.items()
            ],
            "outages": {
                name: {
                    "since": outage.since.isoformat(),
                    "failures": outage.failures,
                    "reason": outage.reason,
                    "stand_in": node.deliveries.stand_in(name),
                }
                for name, outage in node.deliveries.outages().items()
            },
            "plugins": plain([*node.pool.times.report(), *node.completer.times.report()]),
        }

    def retry(self, **selection: str | None) -> int:
        destination = selection.get("destination")
        count = super().retry(**selection)
        self._node.deliveries.try_now(destination)
        return count

    def reload(self) -> Any:  # noqa: ANN401 - JSON
        return asdict(self._node.reloading.reload("command"))

    def rollback(self, number: int | None = None) -> Any:  # noqa: ANN401 - JSON
        try:
            return asdict(self._node.reloading.rollback(number))
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}: nothing was changed") from error
