"""What `run` says when the router runs: where, and what to try first."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from router.operate.words import titles

if TYPE_CHECKING:
    from router.operate.node import Node


def greeting(node: Node) -> str:
    """What somebody who has just started it wants to know."""
    lines = [f"dicom-router {version('dicom-router')} runs {node.path} (process {os.getpid()})"]
    for name, listener in node.config.listeners.items():
        place = f"{listener.bind}:{node.listeners[name].port}"
        lines.append(f"  listens on {place} as {titles(listener.ae_title)} ({name})")
    lines.append(f"  keeps what it accepts in {node.spool.directory}")
    if node.web.address:
        lines.append(f"  shows how it stands at {node.web.address}")
    elif node.web.missing:
        lines.append(f"  has no status page: {node.web.missing}")
    plain = [name for name, listener in node.config.listeners.items() if not listener.tls]
    for name in plain[:1]:
        acceptor = node.listeners[name]
        title = node.config.listeners[name].ae_title[0].replace("*", "ROUTER")
        target = f"{title}@127.0.0.1:{acceptor.port}"
        lines += [
            f"  try: {sys.argv[0]} send {target} FILE_OR_FOLDER",
            f"   or: storescu -aec {title} 127.0.0.1 {acceptor.port} FILE",
            f" then: {sys.argv[0]} status --config {node.path}",
        ]
    return "\n".join(lines)
