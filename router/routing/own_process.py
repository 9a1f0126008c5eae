"""A worker process on its own: it ends with the router, and nobody hears what it prints."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys


def die_with_the_router() -> None:
    """Have the kernel kill this process when the router is gone, even while C code hangs in it.

    Its parent is the fork server, which outlives the router as long as a worker lives, so that
    PR_SET_PDEATHSIG would never come; a thread that waits needs the interpreter.
    """
    router = multiprocessing.parent_process()
    if router is None or sys.platform != "linux":
        return
    gone = router.sentinel  # the end of a pipe whose other end only the router has
    fcntl.fcntl(gone, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(gone, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(gone, fcntl.F_SETFL, fcntl.fcntl(gone, fcntl.F_GETFL) | os.O_ASYNC)
    if not router.is_alive():
        os._exit(1)


def silence_output() -> None:
    """What a plugin prints may name patients, and is no part of what the router says."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
