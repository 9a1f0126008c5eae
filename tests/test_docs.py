"""What the documentation says about plugins is what the code does."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

import router
from router import hookspecs
from router.routing.chain import Link, hooks_of
from router.spool import Spool
from tests.conftest import require
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
    for block in blocks(WRITING, "python"):
        if name := re.match(r'"""(\w+\.py)"""', block):
            (tmp_path / name[1]).write_text(block)
    (tmp_path / "wards.py").write_text(blocks(WRITING, "python")[1])
    (tmp_path / "wards.csv").write_text(blocks(WRITING, "csv")[0])
    return tmp_path


def run(*command: str, cwd: Path, site: Path | None = None) -> str:
    """What a command says that must succeed; `site` has packages besides those installed."""
    environment = os.environ | ({"PYTHONPATH": str(site)} if site else {})
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guides_own_tests_pass(plugin_folder):
    names = sorted(path.name for path in plugin_folder.glob("*.py"))
    assert names == ["conftest.py", "test_wards.py", "test_wards_in_a_router.py", "wards.py"]
    run("pytest", "-q", "-p", "no:cacheprovider", cwd=plugin_folder)


def test_the_guides_package_is_installed_listed_and_tested(plugin_folder, tmp_path):
    version = importlib.metadata.version("setuptools").split(".")
    require(int(version[0]) >= 77, "setuptools 77, which builds wheels, is not installed")
    project, site = tmp_path / "hospital-plugins", tmp_path / "site"
    package, tests = project / "hospital_plugins", project / "tests"
    package.mkdir(parents=True)
    tests.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(plugin_folder / "wards.py", package)
    shutil.copy(plugin_folder / "conftest.py", tests)
    (project / "pyproject.toml").write_text(blocks(WRITING, "toml")[0])
    (tests / "test_wards.py").write_text(
        """
from router.testing import make_dataset

def test_it_is_found_by_its_name(dicom_chain, tmp_path):
    (tmp_path / "wards.csv").write_text("station,ward\\nCT-SOUTH,Ward 7\\n")
    chain = dicom_chain("- wards: {table: wards.csv}")
    made = chain.run(make_dataset(StationName="CT-SOUTH"))
    assert made.dataset.InstitutionalDepartmentName == "Ward 7"
"""
    )
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run("pip", "install", *offline, "--target", str(site), str(project), cwd=tmp_path)
    listed = run("router.operate.cli", "plugins", cwd=tmp_path, site=site)
    assert "wards: Fills in the ward an image comes from" in listed
    run("pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=project, site=site)


@pytest.mark.parametrize("page", ["plugin-hooks.md", "writing-plugins.md"])
def test_what_a_page_points_to_is_there(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (DOCS / page).read_text())
    assert [link for link in links if not (DOCS / link).exists()] == []


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
