"""Every key takes effect in a router that runs, or the router says that it needs a restart."""

import logging

import pytest

from router.config import ConfigError
from router.config.differences import NEEDS_RESTART
from router.config.files import Files, reading
from router.config.schema import keys_of, models
from router.operate.generation import read_config
from router.operate.log import follow as log_as
from router.operate.node import Node, refuse_what_needs_a_restart

from .effects import effects
from .written import after, before, write_files

BY_HAND = {"plugins.*.use", "plugins.*.options", "plugins.*.timeout"}  # no model has them


def every_key():
    """The paths of all keys that have a value and no keys below them."""
    above = {path[:length] for path in models() for length in range(len(path) + 1)}
    keys = {(*path, key) for path, model in models().items() for key in keys_of(model)}
    return {".".join(key) for key in keys - above} - {"plugins"} | BY_HAND


@pytest.fixture
def log():
    """The router sets the process's log: it is put back."""
    root, own = logging.getLogger(), logging.getLogger("router")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture
def node(tmp_path, free_port, log):
    write_files(tmp_path)
    path, files = tmp_path / "config.yaml", Files()
    path.write_text(before(free_port()))
    with reading(files):
        config = read_config(path)
    log_as(config.logging.level, config.logging.format)
    router = Node(path, config, files)
    router.start()
    yield router
    router.stop()


def test_every_key_takes_effect_in_a_router_that_runs(node, tmp_path):
    first = effects(node, tmp_path)
    assert every_key() - first.keys() == NEEDS_RESTART
    assert first.keys() <= every_key()
    assert [key for key, value in effects(node, tmp_path).items() if value != first[key]] == []
    node.path.write_text(after(0))
    node.reloading.reload("test")
    assert node.reloading.refused is None
    then = effects(node, tmp_path)
    assert sorted(key for key in first if then[key] == first[key]) == []


def test_what_needs_a_restart_is_refused_by_name(node):
    text = node.path.read_text()
    node.path.write_text(text.replace("./spool", "./other"))
    said = node.reloading.reload("test")
    assert said.result == "refused"
    assert "spool.directory: needs a restart" in said.reason


@pytest.mark.parametrize("key", sorted(NEEDS_RESTART))
def test_every_key_that_needs_a_restart_is_compared(node, key):
    section, name = key.split(".")
    there = getattr(node.config, section).model_copy(update={name: "another"})
    other = node.config.model_copy(update={section: there})
    with pytest.raises(ConfigError, match=f"{key}: needs a restart"):
        refuse_what_needs_a_restart(other, node.config, node.path)
