"""The page about shipped plugins: it has each of them, and its examples come out as it says."""

from __future__ import annotations

import importlib
import pkgutil
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from router import element_places, element_vr, hookspecs, write_texts
from router.dataset import parse_path
from router.routing.plugins import load_plugin
from router.spool.records import Processed, Skipped
from tests.conftest import REPOSITORY
from tests.plugins.running import leaving, run
from tests.routing.helpers import dataset

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

HOOKS = (REPOSITORY / "docs" / "plugin-hooks.md").read_text()
PAGE = (REPOSITORY / "docs" / "shipped-plugins.md").read_text()
ELSEWHERE = {"deidentify", "leak_gate", "reidentify"}  # have pages of their own
SECTIONS = {
    part.partition("`")[0]: part
    for part in re.split(r"^## `", PAGE, flags=re.MULTILINE)[1:]
}  # fmt: skip
ROW = re.compile(r"^\| (?:`([^`]+)`|\*(\w+)\*) \|(.*)\|(.*)\|$", re.MULTILINE)


def test_every_shipped_plugin_has_its_section():
    package = importlib.import_module("router.plugins")
    shipped = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert set(SECTIONS) - ELSEWHERE == shipped - ELSEWHERE


def block(section: str, language: str) -> str | None:
    found = re.search(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return found[1] if found else None


def as_it_comes(rows: list[tuple[str, str]]) -> Dataset:
    made = dataset()
    for path, value in rows:
        parsed = parse_path(path)
        for parent, tag in element_places(made, parsed, create=bool(value)):
            if value and element_vr(parsed) != "UN":
                write_texts(parent, tag, value.split("\\"))
    return made


@pytest.mark.parametrize("plugin", sorted(set(SECTIONS) - ELSEWHERE))
def test_an_example_comes_out_as_the_page_says(plugin, tmp_path):
    section = SECTIONS[plugin]
    step = block(section, "yaml")
    assert step is not None
    if table := block(section, "csv"):
        [name] = re.findall(r"file: ([\w.]+)", step)
        (tmp_path / name).write_text(table)
    rows = [
        (path, special, comes.strip(), leaves.strip())
        for path, special, comes, leaves in ROW.findall(section.partition("| element |")[2])
    ]
    assert rows
    made = as_it_comes([(path, comes) for path, special, comes, _ in rows if not special])
    outcome = run(tmp_path, "\n" + textwrap.indent(step, " " * 4), made)
    if isinstance(outcome, Skipped):
        assert [(special, leaves) for _, special, _, leaves in rows if special] == [
            ("copy", "skipped")
        ]
        return
    assert isinstance(outcome, Processed), outcome
    left = made if outcome.segments is None else leaving(outcome)
    for path, special, _, leaves in rows:
        if special == "destinations":
            assert ", ".join(sorted(outcome.destinations)) == leaves
        elif special == "file":
            assert [note.removeprefix(f"{tmp_path}/") for note in outcome.notes] == [leaves]
        else:
            assert texts(left, path) == leaves, path


def texts(made: Dataset, path: str) -> str:
    found = [parent[tag] for parent, tag in element_places(made, parse_path(path)) if tag in parent]
    return "".join(map(_text, found))


def _text(element: DataElement) -> str:
    several = element.value if element.VM > 1 else [element.value]
    return "\\".join(str(value) for value in several if value is not None)


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_the_reference_of_hooks_names_the_shipped_plugins_that_use_it(hook):
    [section] = [part for part in HOOKS.split("\n## ") if part.startswith(f"{hook}(")]
    told = re.search(r"^- \*\*Shipped\*\*: (.*)$", section, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", told[1])) if told else set()
    using = {
        name for name in SECTIONS if hookimpl_of(getattr(load_plugin(name, REPOSITORY), hook, None))
    }
    assert named - ELSEWHERE == using - ELSEWHERE


def hookimpl_of(method: object) -> object:
    return getattr(method, f"{hookspecs.PROJECT}_impl", None)
