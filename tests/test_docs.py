"""What the documentation says about plugins is what the code does."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

import router
from router import hookspecs
from router.routing.chain import Link, hooks_of
from router.spool import Spool
from tests.routing.helpers import Router

DOCS = Path(__file__).resolve().parent.parent / "docs"
HOOKS = (DOCS / "plugin-hooks.md").read_text()
WRITING = (DOCS / "writing-plugins.md").read_text()
HEADINGS = re.findall(r"^## (.*)$", HOOKS, re.MULTILINE)


def section(hook: str) -> str:
    """What the reference says of a hook."""
    return next(part for part in HOOKS.split("\n## ") if part.startswith(f"{hook}("))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_reference_has_every_hook_by_its_exact_signature_in_the_order_of_calls():
    signatures = [
        f"{name}{inspect.signature(getattr(hookspecs, name))}".replace("'", "")
        for name in hookspecs.HOOKS
    ]
    assert signatures == HEADINGS


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_says_when_what_none_means_and_what_raising_means(hook):
    for told in (inspect.getdoc(getattr(hookspecs, hook)), section(hook).replace("**", "")):
        assert [word for word in ("When: ", "None: ", "Raising: ") if word not in told] == []


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_has_an_example_that_is_such_a_plugin(hook, tmp_path):
    (example,) = blocks(section(hook), "python")
    names = {name: getattr(router, name) for name in router.__all__}
    names |= {"Path": Path, "Dataset": Dataset}
    exec(compile(example, f"plugin-hooks.md: {hook}", "exec", dont_inherit=True), names)
    parameters = inspect.signature(names["Example"]).parameters
    plugin = names["Example"](*[tmp_path] * len(parameters))
    assert hook in hooks_of(Link("example", plugin))


@pytest.fixture
def plugin_folder(tmp_path: Path) -> Path:
    """The folder that the guide ends with."""
    _, plugin, test = blocks(WRITING, "python")
    (tmp_path / "wards.py").write_text(plugin)
    (tmp_path / "test_wards.py").write_text(test)
    (tmp_path / "wards.csv").write_text(blocks(WRITING, "csv")[0])
    return tmp_path


def test_the_guides_own_test_passes(plugin_folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_wards.py"]
    run = subprocess.run(command, cwd=plugin_folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_guides_first_class_is_a_plugin():
    names: dict[str, type] = {}
    exec(compile(blocks(WRITING, "python")[0], "writing-plugins.md", "exec"), names)
    assert hooks_of(Link("wards", names["Wards"]())) == {"rewrite_instance"}


@pytest.mark.parametrize(
    ("station", "state", "reason"),
    [
        ("CT-SOUTH", "processed", ""),
        ("CT-WEST", "held", "its station is not in the table of wards"),
        ("MR-NORTH", "held", "it has no ward"),
    ],
)
def test_the_guides_plugin_works_in_a_chain_and_fails_closed(
    plugin_folder, wait_until, station, state, reason
):
    with Spool(plugin_folder / "spool") as spool:
        chain = Router(plugin_folder, spool)
        try:
            chain.start(blocks(WRITING, "yaml")[0])
            uid = chain.accept("archive", StationName=station)
            wait_until(lambda: chain.copy(uid).state != "received")
            copy = chain.copy(uid)
        finally:
            chain.stop()
        assert (copy.state, copy.reason) == (state, reason)
        leaving = b"".join(
            segment
            for delivery in spool.ledger.claim("pacs", 10)
            for segment in delivery.segments
            if isinstance(segment, bytes)
        )
        assert (b"Ward 7" in leaving) is (state == "processed")
