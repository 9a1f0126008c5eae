"""Stations that are closed again whatever a test did."""

import pytest

from .station import Station, read


@pytest.fixture
def station(tmp_path):
    """`station(listener=..., routes=..., more=..., keep_free=...)` starts one."""
    made = []

    def start(**config: str) -> Station:
        made.append(Station(tmp_path, read(tmp_path, **config)))
        return made[-1]

    yield start
    for each in made:
        each.close()
