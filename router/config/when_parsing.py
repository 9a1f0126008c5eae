"""Reads a `when:` into conditions, saying what is wrong with each where it stands."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, TypeGuard, get_args

from pydicom.datadict import dictionary_VR

from router.config import when as w
from router.config.files import read_file
from router.config.mistakes import ConfigError, Position, nearest, suggest
from router.config.tree import Findings, Listing, Node, Scalar, Section, from_plain, instead
from router.config.when_values import association_test, element_test
from router.dataset import Path, parse_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path as FilePath

_ATTRIBUTES: tuple[w.Attribute, ...] = get_args(w.Attribute)
_COMBINING = ("not", "any", "all")
_MEANT = {"and": "all", "or": "any"}
_EXACT_VRS = ("AE", "UI")
_NO_VALUE_VRS = ("OB", "OD", "OF", "OL", "OV", "OW")

_NOWHERE = Position("", 0, 0)


def compile_when(
    rules: Any,  # noqa: ANN401
    directory: FilePath,
    path: str = "",
    position: Position = _NOWHERE,
    positions: Mapping[str, Position] | None = None,
) -> w.When:
    """The conditions of a `when` mapping given as plain values; ConfigError says what is wrong.

    For plugins whose options are rules: `directory`, `path`, `position` and `positions` are a
    `PluginUse`'s `directory`, `path`, `position` and `option_positions`.
    """
    findings = Findings()
    node = from_plain(rules, path, position, positions or {})
    conditions = WhenParser(findings, directory).parse(node)
    if findings.mistakes:
        raise ConfigError(findings.mistakes)
    return conditions


class WhenParser:
    """Parses every `when` of one configuration; `names` are the known `peer`s and `listener`s."""

    def __init__(
        self,
        findings: Findings,
        directory: FilePath,
        names: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._findings = findings
        self._directory = directory
        self._names = names or {}
        self._columns: dict[tuple[str, str, bool], frozenset[str]] = {}

    def parse(self, node: Node) -> w.When:
        """Conditions that must all apply; what is wrong is left out and found."""
        if not isinstance(node, Section):
            self._findings.wrong(node, f"expected conditions (`Keyword: value`), {instead(node)}")
            return w.All(())
        conditions = [self._condition(node, key) for key in node.entries]
        return w.All(tuple(condition for condition in conditions if condition is not None))

    def _condition(self, section: Section, key: str) -> w.When | None:
        entry = section.entries[key]
        match key:
            case "not":
                return w.Not(self.parse(entry.node))
            case "all":
                return w.All(self._each(entry.node))
            case "any":
                return w.Any_(self._each(entry.node))
        text = f"{key}: {_shown(entry.node)}"
        if key in _ATTRIBUTES:
            attribute = _ATTRIBUTES[_ATTRIBUTES.index(key)]
            tests = self._tests(entry.node, self._association_test(attribute), exact=True)
            if attribute == "time" and not all(isinstance(test, w.TimeOfDay) for test in tests):
                self._findings.wrong(entry.node, f"expected 07:00-18:00, {instead(entry.node)}")
            return w.AssociationIs(attribute, tests, text, entry.key_position)
        try:
            path = parse_path(key)
        except ValueError as error:
            meant = _MEANT.get(key.lower(), key)
            hint = nearest(meant, (*_ATTRIBUTES, *_COMBINING))
            message = f"unknown condition '{key}'{hint}" if hint else str(error)
            self._findings.add(entry.key_position, section.path_of(key), message)
            return None
        tests = self._element_tests(path, entry.node)
        return w.Element(path, tests, text, entry.key_position)

    def _each(self, node: Node) -> tuple[w.When, ...]:
        """The conditions of a list, each a mapping; of one mapping, each of its keys."""
        if isinstance(node, Listing):
            self._refuse_empty(node)
            return tuple(self.parse(item) for item in node.items)
        parsed = self.parse(node)
        return parsed.conditions if isinstance(parsed, w.All) else (parsed,)

    def _element_tests(self, path: Path, node: Node) -> tuple[w.Test, ...]:
        vr = _vr(path)

        def test(scalar: Scalar) -> w.Test:
            if vr == "SQ":
                raise ValueError(
                    f"is a sequence: name an element in it ({path}.Keyword), or exists"
                )
            if vr in _NO_VALUE_VRS:
                raise ValueError(f"has no text to compare (VR {vr}); only exists can be asked")
            return element_test(scalar, vr)

        return self._tests(node, test, exact=vr in _EXACT_VRS)

    def _association_test(self, attribute: w.Attribute) -> Callable[[Scalar], w.Test]:
        return lambda scalar: association_test(scalar, attribute, self._names.get(attribute))

    def _tests(
        self, node: Node, test: Callable[[Scalar], w.Test], *, exact: bool
    ) -> tuple[w.Test, ...]:
        if isinstance(node, Listing):
            self._refuse_empty(node)
            return tuple(t for item in node.items for t in self._tests(item, test, exact=exact))
        try:
            if isinstance(node, Section):
                return (self._special(node, exact=exact),)
            return (test(node),)
        except ValueError as error:
            self._findings.wrong(node, str(error))
            return ()

    def _refuse_empty(self, node: Listing) -> None:
        if not node.items:
            self._findings.wrong(node, "an empty list never applies")

    def _special(self, node: Section, *, exact: bool) -> w.Test:
        """`{exists: true}` or `{file: consent.csv, column: id}`."""
        keys = set(node.entries)
        if keys == {"exists"}:
            present = node.get("exists")
            if isinstance(present, Scalar) and isinstance(present.value, bool):
                return w.Exists(present.value)
            raise ValueError("exists is true or false")
        file, column = node.get("file"), node.get("column")
        if not (keys == {"file", "column"} and _is_text(file) and _is_text(column)):
            raise ValueError(
                "expected a value, {exists: true} or {file: FILE.csv, column: NAME}, "
                + instead(node)
            )
        return self._listed(file.raw, column.raw, exact=exact)

    def _listed(self, file: str, column: str, *, exact: bool) -> w.Listed:
        key = (file, column, exact)
        path = self._directory / file
        if key not in self._columns:
            values = (value.strip() for value in _read_column(path, file, column))
            self._columns[key] = frozenset(
                value if exact else value.casefold() for value in values if value
            )
        return w.Listed(path, column, self._columns[key], exact)


def _read_column(path: FilePath, file: str, column: str) -> list[str]:
    try:
        rows = csv.DictReader(io.StringIO(read_file(path).decode("utf-8-sig"), newline=""))
        names = rows.fieldnames or []
        if column not in names:
            raise ValueError(f"{file} has no column '{column}'{suggest(column, names)}")
        return [row[column] or "" for row in rows]
    except OSError as error:
        raise ValueError(f"file {file}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{file} is not a CSV file in UTF-8") from None


def _is_text(node: Node | None) -> TypeGuard[Scalar]:
    return isinstance(node, Scalar) and isinstance(node.value, str)


def _vr(path: Path) -> str:
    """The VR rules go by: of several the first (`US or SS`), of what no dictionary has UN."""
    step = path.steps[-1]
    if step.creator is not None:
        return "UN"
    try:
        return dictionary_VR(step.tag)[:2]
    except KeyError:
        return "UN"


def _shown(node: Node) -> str:
    match node:
        case Scalar():
            return node.raw
        case Listing():
            return f"[{', '.join(map(_shown, node.items))}]"
        case Section():
            inner = (f"{key}: {_shown(entry.node)}" for key, entry in node.entries.items())
            return f"{{{', '.join(inner)}}}"
