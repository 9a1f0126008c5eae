"""Whether local indexes can answer, and whether one is being rebuilt, as administrators see it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from router.config.model import FolderDestination
from router.spool.index_reading import IndexReader
from router.spool.indexes import index_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from router.config.model import AnyDestination


@dataclass(frozen=True, slots=True)
class IndexState:
    """`problem` is why its queries are refused, None where they are answered."""

    destination: str
    problem: str | None
    rebuilding: bool


def index_states(spool: Path, destinations: Mapping[str, AnyDestination]) -> tuple[IndexState, ...]:
    """Those of all folders that have one; `spool` is the spool's directory. Changes nothing."""
    states = []
    for name, settings in destinations.items():
        if isinstance(settings, FolderDestination) and settings.index:
            path = index_path(spool, name)
            problem = _problem(path, settings.directory)
            states.append(IndexState(name, problem, _is_rebuilding(path)))
    return tuple(states)


@contextmanager
def rebuilding(path: Path) -> Iterator[None]:
    """Be the only one that rebuilds the index at `path`; waits for another one to end."""
    descriptor = os.open(_lock(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _problem(path: Path, directory: Path) -> str | None:
    try:
        if not path.exists():
            is_whole = not directory.is_dir() or not any(directory.iterdir())
        else:
            reader = IndexReader(path)
            try:
                is_whole = reader.is_whole and reader.directory == str(directory)
            finally:
                reader.close()
    except (apsw.Error, OSError) as error:
        return str(error)
    return None if is_whole else "it does not know all files"


def _is_rebuilding(path: Path) -> bool:
    try:
        descriptor = os.open(_lock(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(path: Path) -> Path:
    """Its lock ends with whoever has it, so that a rebuild that was killed is none."""
    return path.with_suffix(".rebuilding")
