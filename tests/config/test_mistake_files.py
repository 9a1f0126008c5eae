"""Broken configurations and the whole report about each, which is part of the interface."""

from pathlib import Path

import pytest

from router.config import ConfigError, load, report
from tests.config.conftest import SHIPPED

FOLDER = Path(__file__).resolve().parent.parent / "config_mistakes"


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_a_broken_configuration_is_reported_whole(name, monkeypatch):
    monkeypatch.chdir(FOLDER)
    try:
        mistakes = load(f"{name}.yaml", known_plugins=SHIPPED).lints
    except ConfigError as error:
        mistakes = error.mistakes
    assert report(mistakes) == Path(f"{name}.expected").read_text()


def test_no_report_speaks_as_a_library_does():
    reports = "".join(file.read_text().lower() for file in FOLDER.glob("*.expected"))
    for word in ("pydantic", "ruamel", "input should", "validation", "traceback", "found '"):
        assert word not in reports
