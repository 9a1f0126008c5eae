"""Files for values made on the way, durable before anything refers to them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_file(directory: Path) -> Iterator[IO[bytes]]:
    """A new file in `directory`, on disk when the block ends; gone if it ends in an exception."""
    with NamedTemporaryFile(dir=directory, suffix=".bulk", delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(file.name)
            raise
    entry = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
