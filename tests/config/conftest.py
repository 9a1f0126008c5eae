"""What the tests of the configuration share: a configuration from a text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.config import Config, ConfigError, load

SHIPPED = frozenset({"keep", "remove", "set", "skip", "store"})


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Load a text as `config.yaml` in a directory of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> Config:
        Path("config.yaml").write_text(text)
        return load("config.yaml", known_plugins=SHIPPED)

    return read


@pytest.fixture
def mistakes(configured: Callable[[str], Config]) -> Callable[[str], list[str]]:
    """What is wrong with a text, each as it is shown without its line."""

    def read(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            configured(text)
        return [str(mistake) for mistake in caught.value.mistakes if mistake.level == "error"]

    return read


@pytest.fixture
def route_when(configured: Callable[[str], Config]) -> Callable[[str], object]:
    """The conditions of a route, given as the lines below its `when:`."""

    def read(text: str) -> object:
        indented = "".join(f"      {line}\n" for line in text.splitlines())
        config = configured(
            "destinations: {vna: {type: folder, directory: ./vna}}\n"
            f"routes:\n  - name: one\n    to: vna\n    when:\n{indented}"
        )
        return config.routes[0].when

    return read
