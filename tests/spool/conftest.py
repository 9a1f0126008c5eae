"""A spool in a temporary directory, closed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.spool import Ledger, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def ledger(spool: Spool) -> Ledger:
    return spool.ledger
