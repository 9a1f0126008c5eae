"""The frame of the house: who may import whom, one library per place, pages one can read."""

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, require

LONGEST_FILE = 300  # lines
LONGER_FILES = {
    "router.instance": 400,  # what plugin authors are given, on one page
}
LONGEST_FUNCTION = 60  # lines; what is over 40 should have a good reason

# What every part may use. They are one level, except that data sets know nothing of the rest.
VOCABULARY = {
    "dataset",
    "elements",
    "files",
    "hookspecs",
    "instance",
    "raw",
    "status",
    "tables",
    "template",
    "when",
}
CONFIG = VOCABULARY
WIRE = CONFIG | {"config"}
SPOOL = WIRE | {"wire"}
ROUTING = SPOOL | {"spool"}
IMPORTS = {
    "": VOCABULARY,
    "dataset": {"status"},
    "elements": VOCABULARY,
    "files": VOCABULARY,
    "hookspecs": VOCABULARY,
    "instance": VOCABULARY,
    "raw": VOCABULARY,
    "status": set(),
    "tables": VOCABULARY,
    "template": VOCABULARY,
    "when": VOCABULARY,
    "config": CONFIG,
    "wire": WIRE,
    "spool": SPOOL,
    "routing": ROUTING,
    "delivery": ROUTING,
    "intake": ROUTING | {"routing"},
    "query": ROUTING | {"routing", "delivery"},
    "operate": ROUTING | {"routing", "delivery", "intake", "query"},
    "testing": ROUTING | {"routing", "operate"},
}

# Where a library may be imported: whole modules, or packages with all that is in them.
PLACES = {
    "apsw": ("router.spool",),
    "blake3": ("router.spool.digest",),
    "click": ("router.operate",),
    "cryptography": ("router.config.expiry", "router.plugins.deidentify.reversal"),
    "gdcm": ("router.dataset.decoders",),
    "h11": ("router.operate.web_server",),
    "numpy": (
        *("router.dataset.pixels", "router.instance", "router.plugins"),
        "router.delivery.encapsulating",
    ),
    "pebble": ("router.routing",),
    "pluggy": ("router.hookspecs", "router.routing"),
    "prometheus_client": ("router.operate.web_metrics",),
    "pydantic": ("router.config",),
    "pydantic_core": ("router.config",),
    "pydicom": (
        *("router.dataset", "router.elements", "router.hookspecs", "router.instance"),
        "router.raw",
        *("router.testing", "router.config", "router.routing", "router.plugins"),
        *("router.intake.contexts", "router.operate.generated"),
        *("router.delivery.codecs", "router.delivery.encapsulating", "router.query"),
    ),
    "pynetdicom": ("router.wire", "router.query"),
    "pytest": ("router.testing.fixtures",),
    "rich": ("router.operate",),
    "ruamel": ("router.config",),
    "watchfiles": ("router.config",),
}

DEIDENTIFY_TABLES = ("iods.csv", "profile.csv", "safe_private.csv", "terms.txt", "words.txt")

# What imports numpy.
PIXELS = ("router.dataset.pixels", "router.delivery.codecs", "router.delivery.encapsulating")


@dataclass(frozen=True)
class Module:
    """One file of the tree; `name` is what it is imported by."""

    path: Path
    name: str
    package: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_bytes())

    @property
    def part(self) -> str:
        """The name in `IMPORTS`: the package or module directly below `router`."""
        return (self.name.split(".") + [""])[1]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything it imports, also for type checking only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
                source = node.module or ""
                if node.level:
                    source = ".".join([*above, source]).rstrip(".")
                yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def read_modules() -> Iterator[Module]:
    for folder, package in (("router", "router"), ("plugins", "router.plugins")):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            inner = path.relative_to(REPOSITORY / folder).with_suffix("").parts
            parents = ".".join([package, *inner[:-1]])
            name = parents if inner[-1] == "__init__" else f"{parents}.{inner[-1]}"
            yield Module(path, name, parents)


MODULES = list(read_modules())
ROUTER = [module for module in MODULES if module.part != "plugins"]
PLUGINS = [module for module in MODULES if module.part == "plugins"]
PARTS = {module.part for module in MODULES} - {""}


def part_imported(name: str) -> str:
    """The part of the router that `name` is in; "" for `router` itself, what plugins import."""
    _, _, inner = name.partition(".")
    first = inner.split(".")[0]
    return first if first in PARTS else ""


def places(found: Iterator[tuple[Module, int, str]]) -> list[str]:
    return [f"{m.path.relative_to(REPOSITORY)}:{line}: {name}" for m, line, name in found]


def test_a_part_imports_only_what_the_design_puts_below_it():
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in ROUTER:
            for line, name in module.imports():
                if name.split(".")[0] != "router":
                    continue
                part = part_imported(name)
                if part != module.part and part not in IMPORTS[module.part]:
                    yield module, line, name

    assert places(wrong()) == []


def test_plugins_import_the_router_and_pydicom_only():
    """And each other, and a library whose place it is: `test_every_library_has_its_place`."""
    own = {name for name, places in PLACES.items() if any("plugins." in each for each in places)}

    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in PLUGINS:
            for line, name in module.imports():
                top = name.split(".")[0]
                inside = top == "router" and part_imported(name) not in ("", "plugins")
                allowed = {"router", "pydicom", "numpy", *own, *sys.stdlib_module_names}
                if inside or top not in allowed:
                    yield module, line, name

    assert places(wrong()) == []


def test_every_library_has_its_place():
    def wrong() -> Iterator[tuple[Module, int, str]]:
        for module in MODULES:
            for line, name in module.imports():
                top = name.split(".")[0]
                if top == "router" or top in sys.stdlib_module_names:
                    continue
                allowed = PLACES.get(top, ())
                if not any(module.name == p or module.name.startswith(f"{p}.") for p in allowed):
                    yield module, line, name

    assert places(wrong()) == []


def test_numpy_is_imported_where_pixels_are_looked_at_and_not_before():
    """It takes a tenth of a second and 25 MiB in every worker."""

    def at_once(module: Module) -> Iterator[tuple[Module, int, str]]:
        for node in module.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                if name in PIXELS and module.name not in PIXELS:
                    yield module, node.lineno, name

    assert [place for module in MODULES for place in places(at_once(module))] == []


def test_every_module_says_what_it_is():
    assert [m.name for m in MODULES if not ast.get_docstring(m.tree)] == []


def test_files_and_functions_are_short_enough_to_read():
    too_long = [
        f"{module.name}: {lines} lines"
        for module in MODULES
        if (lines := len(module.path.read_text().splitlines()))
        > LONGER_FILES.get(module.name, LONGEST_FILE)
    ]
    too_long += [
        f"{module.name}.{node.name}: {lines} lines"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert too_long == []


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_every_package_of_the_tree_is_installed(project):
    packages = {module.package for module in MODULES}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


def test_ruff_knows_the_same_places(project):
    banned = project["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert banned.keys() == PLACES.keys() - {"pydantic_core"}


def test_a_wheel_has_the_plugins_and_the_files_that_are_no_code(tmp_path):
    """Built offline by the backend that pyproject.toml names, from a copy of what it takes."""
    version = importlib.metadata.version("setuptools").split(".")
    require(int(version[0]) >= 77, "setuptools 77, which builds wheels, is not installed")
    for name in ("pyproject.toml", "README.md", "router", "plugins"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"
    (tmp_path / "dist").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    [wheel] = (tmp_path / "dist").iterdir()
    built = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"{module.name.replace('.', '/')}.py" for module in MODULES}
    wanted = {name if name in built else name.replace(".py", "/__init__.py") for name in wanted} | {
        "router/py.typed",
        "router/config/starter.yaml",
        "router/config/reference.md",
        *(f"router/plugins/deidentify/{name}" for name in DEIDENTIFY_TABLES),
    }
    assert wanted - built == set()
    others = {name for name in built if ".dist-info/" not in name}
    assert others - wanted == set()
