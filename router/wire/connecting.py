"""A TCP connection to a host, by address or name, within a time: which a look-up does not know."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time


def connect_to(host: str, port: int, timeout: float) -> socket.socket:
    """The first of the host's addresses that answers; raises OSError."""
    deadline = time.monotonic() + timeout
    failure: OSError = OSError(f"{host} has no address")
    for address in _addresses(host, timeout):
        try:
            left = max(deadline - time.monotonic(), 0.001)
            return socket.create_connection((address, port), left)
        except OSError as error:
            failure = error
    raise failure


def _addresses(host: str, timeout: float) -> list[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _look_up(host, timeout)
    return [host]


def _look_up(host: str, timeout: float) -> list[str]:
    """In a thread, which ends when the name server has answered at last."""
    answer: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(str(place[4][0]) for place in found)))
        except OSError as error:
            answer.put(error)
        except UnicodeError:
            answer.put(OSError("it is no host name"))

    threading.Thread(target=ask, name=f"look-up-{host}", daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError("no name server answered in time") from None
    if isinstance(found, OSError):
        raise found
    return found
