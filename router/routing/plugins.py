"""From a plugin's `use:` to its class: shipped, installed, or a file beside the config."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from router.config.mistakes import nearest
from router.routing.failures import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHIPPED = "router.plugins"
ENTRY_POINTS = "dicom_router"


class PluginError(Exception):
    """A plugin that cannot be had; the text says why and, where it can, what to do."""


def load_plugin(use: str, directory: Path, sources: Mapping[Path, bytes] | None = None) -> type:
    """The class that a configuration in `directory` means by `use`. Raises PluginError.

    `sources` are the plugin files as they were when the configuration was read: a worker process
    that starts later runs the same code, whatever the file holds by then.
    """
    if file := plugin_file(use, directory):
        source = (sources or {}).get(file)
        return _class_of(_load_file(file, source), use.rpartition(":")[2])
    if use.isidentifier() and importlib.util.find_spec(f"{SHIPPED}.{use}"):
        return _only_class(_import(f"{SHIPPED}.{use}"))
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=use):
        return _class_of(_import(entry_point.module), entry_point.attr)
    raise PluginError(_unknown(use))


def plugin_file(use: str, directory: Path) -> Path | None:
    """The file of a `FILE.py:Class` beside the configuration, None for the other kinds."""
    file, colon, _ = use.rpartition(":")
    return directory / file if colon and file.endswith(".py") else None


def known_plugins() -> list[str]:
    """The names of the plugins that are shipped or installed; none is imported."""
    package = importlib.import_module(SHIPPED)
    shipped = [module.name for module in pkgutil.iter_modules(package.__path__)]
    installed = [point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    return sorted({*shipped, *installed})


def _unknown(name: str) -> str:
    known = known_plugins()
    hint = nearest(name, known) or f"; there are {', '.join(known)}, and FILE.py:Class"
    return f"no plugin is called '{name}'{hint}"


def _import(name: str) -> ModuleType:
    with _import_errors(name):
        return importlib.import_module(name)


def _load_file(file: Path, source: bytes | None) -> ModuleType:
    """Import a file under a name made of its path and content, so that an edited file is new."""
    if source is None:
        try:
            source = file.read_bytes()
        except OSError as error:
            raise PluginError(f"cannot read {file}: {error.strerror}") from None
    digest = hashlib.sha256(str(file).encode() + b"\0" + source).hexdigest()[:16]
    name = f"dicom_router_plugin_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(file)
    with _import_errors(str(file)), _neighbours(file.parent):
        code = compile(source, str(file), "exec", dont_inherit=True)
        sys.modules[name] = module  # dataclasses and annotations look their module up
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return module


@contextmanager
def _neighbours(directory: Path) -> Iterator[None]:
    """Let a plugin file import modules beside it, and forget them, so that a reload reads them."""
    before = set(sys.modules)
    writes_bytecode = sys.dont_write_bytecode
    # A cached .pyc is matched by second and size: two edits within a second look the same.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        sys.dont_write_bytecode = writes_bytecode
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            is_plugin = name.startswith("dicom_router_plugin_")
            if origin and not is_plugin and Path(origin).is_relative_to(directory):
                del sys.modules[name]


@contextmanager
def _import_errors(what: str) -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise PluginError(f"{error.filename}:{error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise PluginError(f"importing {what} failed: {error} ({describe(error)})") from None


def _only_class(module: ModuleType) -> type:
    (found,) = (
        each
        for name, each in vars(module).items()
        if inspect.isclass(each) and each.__module__ == module.__name__ and name[0] != "_"
    )
    return found


def _class_of(module: ModuleType, name: str) -> type:
    found: Any = getattr(module, name, None)
    if inspect.isclass(found):
        return found
    classes = [n for n, each in vars(module).items() if inspect.isclass(each) and n[0] != "_"]
    raise PluginError(f"{module.__file__} has no class '{name}'{nearest(name, classes)}")
