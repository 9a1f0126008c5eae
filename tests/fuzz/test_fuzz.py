"""Fuzzing: the same few thousand inputs in every run, all that ever found something, and more."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.fuzz.mutation import mutations
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

COUNTS = {"served": 150, "scanner": 1500, "conditions": 150, "config": 60}
LONG = 30 * 60  # seconds


@pytest.mark.parametrize("name", TARGETS)
def test_changed_input_is_dealt_with(name):
    for data in mutations(SEEDS[name](), COUNTS.get(name, 2000), seed=1):
        try:
            TARGETS[name](data)
        except Exception as error:
            pytest.fail(f"{data!r}: {error!r}")


def test_what_once_found_something_does_not_any_more():
    for path in sorted((Path(__file__).parent / "found").glob("*/*")):
        TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_half_an_hour_of_guided_fuzzing_finds_nothing(name, tmp_path):
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python")
    command = [sys.executable, "-m", "tests.fuzz", name, str(LONG), str(tmp_path / "corpus")]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stderr[-4000:]
