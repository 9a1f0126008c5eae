"""Things that go wrong, so that a plugin can be seen to fail closed."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydicom.uid import ExplicitVRLittleEndian

from router.testing.instances import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset


def cut_short(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set's bytes without the last: nobody can walk it to its end.

    For `ChainUnderTest.run_bytes`: what needs a rewrite is held then.
    """
    return encode(dataset, transfer_syntax)[:-1]


@contextmanager
def disk_full(after: int = 0) -> Iterator[None]:
    """No file of this process can become longer than `after` bytes: writing raises OSError.

    As the `fault` of `ChainUnderTest.run`, or around what a test calls itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
