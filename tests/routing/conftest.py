"""A spool with a processor whose workers run real plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.spool import Spool
from tests.routing.helpers import Router

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Spool(tmp_path / "spool") as spool:
        made = Router(tmp_path, spool)
        try:
            yield made
        finally:
            made.stop()
