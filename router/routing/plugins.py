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
from importlib.abc import MetaPathFinder, SourceLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from router.config.files import read_file
from router.config.mistakes import nearest
from router.routing.failures import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.machinery import ModuleSpec

SHIPPED = "router.plugins"
ENTRY_POINTS = "dicom_router"
_PREFIX = "dicom_router_plugin_"


class PluginError(Exception):
    """A plugin that cannot be had; the text says why and, where it can, what to do."""


def load_plugin(use: str, directory: Path, sources: Mapping[Path, bytes] | None = None) -> type:
    """The class that a configuration in `directory` means by `use`. Raises PluginError.

    `sources` are the plugin files as they were when the configuration was read: a worker process
    that starts later runs the same code, whatever the file holds by then.
    """
    if file := plugin_file(use, directory):
        return _class_of(_load_file(file, sources), use.rpartition(":")[2])
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


def forget_modules(used_texts: Iterable[Mapping[Path, bytes]]) -> None:
    """Drop the modules of plugin files that are not among these, of configurations gone by."""
    used = {_module_name(file, text) for texts in used_texts for file, text in texts.items()}
    for name in [name for name in sys.modules if name.startswith(_PREFIX)]:
        if name not in used:
            del sys.modules[name]
            _beside.pop(name, None)


def plugin_sources(use: str, directory: Path) -> dict[Path, bytes]:
    """The file of a `FILE.py:Class` that can be loaded, and those beside it that it imports."""
    file = plugin_file(use, directory)
    if file is None:
        return {}
    source = read_file(file, keep=True)
    return {file: source, **_beside[_load_file(file, None).__name__]}


_beside: dict[str, dict[Path, bytes]] = {}  # what each plugin file has imported, by its module


def _module_name(file: Path, source: bytes) -> str:
    digest = hashlib.sha256(str(file).encode() + b"\0" + source).hexdigest()[:16]
    return f"{_PREFIX}{digest}"


def _load_file(file: Path, sources: Mapping[Path, bytes] | None) -> ModuleType:
    """Import a file under a name made of its path and content, so that an edited file is new."""
    read = _reader(sources)
    source = read(file)
    if source is None:
        raise PluginError(f"cannot read {file}: {_why_unreadable(file)}")
    name = _module_name(file, source)
    imported = _beside.get(name)
    if imported is not None and all(read(path) == was for path, was in imported.items()):
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(file)
    beside = _Beside(file.parent, read)
    with _import_errors(str(file)), _importing(beside):
        code = compile(source, str(file), "exec", dont_inherit=True)
        sys.modules[name] = module  # dataclasses and annotations look their module up
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            _beside.pop(name, None)
            raise
    _beside[name] = beside.found
    return module


def _reader(sources: Mapping[Path, bytes] | None) -> Callable[[Path], bytes | None]:
    def read(path: Path) -> bytes | None:
        if sources is not None:
            return sources.get(path)
        try:
            return read_file(path, keep=True)
        except OSError:
            return None

    return read


def _why_unreadable(file: Path) -> str:
    try:
        file.read_bytes()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "it is not among the files of this configuration"


class _Beside(MetaPathFinder):
    """Finds modules beside a plugin file, as their files were when the configuration was read."""

    def __init__(self, directory: Path, read: Callable[[Path], bytes | None]) -> None:
        self.directory = directory
        self.found: dict[Path, bytes] = {}
        self._read = read

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        base = self.directory.joinpath(*name.split("."))
        for file, inside in ((base.with_name(f"{base.name}.py"), None),
                             (base / "__init__.py", [str(base)])):  # fmt: skip
            source = self._read(file)
            if source is not None:
                self.found[file] = source
                return importlib.util.spec_from_file_location(
                    name, file, loader=_Source(file, source), submodule_search_locations=inside
                )
        return None


class _Source(SourceLoader):
    """A module from bytes: no .pyc, which is matched by second and size, comes in between."""

    def __init__(self, file: Path, source: bytes) -> None:
        self._file = file
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return str(self._file)

    def get_data(self, path: str | bytes) -> bytes:
        return self._source


@contextmanager
def _importing(beside: _Beside) -> Iterator[None]:
    """Let a plugin file import modules beside it, and forget them, so that a reload reads them."""
    before = set(sys.modules)
    writes_bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, beside)
    sys.path.insert(0, str(beside.directory))  # for what is no Python source
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.meta_path.remove(beside)
        sys.path.remove(str(beside.directory))
        sys.dont_write_bytecode = writes_bytecode
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            ours = origin and Path(origin).is_relative_to(beside.directory)
            if ours and not name.startswith(_PREFIX):
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
