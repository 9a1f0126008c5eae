"""From a YAML file to a tree with positions: tags, aliases and merges resolved, traps explained."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.tag import Tag

from router.config.files import read_file
from router.config.mistakes import Position
from router.config.syntax import explain_syntax
from router.config.tree import Entry, Findings, Listing, Node, Scalar, Section

_STANDARD = "tag:yaml.org,2002:"
_UNDEFINED_ALIAS = "!undefined alias"  # no tag in a file can have a space
_DEEPEST = 60
_TAG_BEGINS = re.compile(r"\([0-9A-Fa-f]{4}")


class _LenientComposer(Composer):
    """Composes an undefined alias as a marked scalar, so that the rest is still checked."""

    def __init__(self, loader: Any = None) -> None:  # noqa: ANN401
        super().__init__(loader)
        self.warn_double_anchors = False  # YAML allows it: the later one counts from there on

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
        if self.parser.check_event(AliasEvent):
            event = self.parser.peek_event()
            if event.anchor not in self.anchors:
                self.parser.get_event()
                tag = Tag(suffix=_UNDEFINED_ALIAS)
                return ScalarNode(tag, f"*{event.anchor}", event.start_mark, event.end_mark)
        return super().compose_node(parent, index)


def read_tree(file: str, directory: Path, findings: Findings) -> Section | None:
    """Read one file; `!file` paths are relative to `directory`. None: nothing could be read."""
    start = Position(file, 1, 1)
    try:
        text = read_file(Path(file), keep=True).decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        findings.add(start, "", f"cannot be read: {error.strerror}")
        return None
    except UnicodeDecodeError as error:
        findings.add(start, "", f"is not UTF-8 text (byte {error.start + 1})")
        return None
    try:
        root = _compose(text)
    except (MarkedYAMLError, ReaderError) as error:
        position, message = explain_syntax(error, file, text)
        findings.add(position, "", message)
        return None
    builder = _Builder(file, text, directory, findings)
    tree = builder.build(root, "") if root is not None else Section(start, "", {})
    if not isinstance(tree, Section):
        findings.add(start, "", "a configuration is `key: value` lines")
        return None
    return tree


def _compose(text: str) -> Any:  # noqa: ANN401
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _LenientComposer
    yaml.max_depth = _DEEPEST
    return yaml.compose(text)


class _Builder:
    def __init__(self, file: str, text: str, directory: Path, findings: Findings) -> None:
        self._file = file
        self._text = text
        self._directory = directory
        self._findings = findings
        # By ruamel node, which aliases share; with the node, so that no other gets its id.
        self._built: dict[int, tuple[Any, Node]] = {}
        self._building: set[int] = set()

    def build(self, node: Any, path: str) -> Node:  # noqa: ANN401
        if id(node) in self._built:
            return self._built[id(node)][1]
        if id(node) in self._building:
            self._findings.breaks(self._position(node), path, "an alias inside what it stands for")
            return Scalar(self._position(node), path, None, "")
        self._building.add(id(node))
        built = self._build(node, path)
        self._building.remove(id(node))
        self._built[id(node)] = (node, built)
        return built

    def _build(self, node: Any, path: str) -> Node:  # noqa: ANN401
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if not str(node.tag).startswith(_STANDARD):
            self._refuse_tag(node, path)
        if isinstance(node, SequenceNode):
            return self._listing(node, path)
        return self._section(node, path)

    def _position(self, node: Any) -> Position:  # noqa: ANN401
        mark = node.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _scalar(self, node: Any, path: str) -> Scalar:  # noqa: ANN401
        position, raw, tag = self._position(node), str(node.value), str(node.tag)
        value: str | int | float | bool | None = raw
        if tag == _UNDEFINED_ALIAS:
            self._findings.breaks(
                position,
                path,
                "'*' makes this an alias, and none has that name; "
                f'if it is text, quote it: "{raw}"',
            )
        elif node.style in (">", "|") and not raw.strip():
            message = f"'{node.style}' begins a block of text, and none follows; quote it"
            self._findings.breaks(position, path, message)
        elif tag == "!env":
            value = self._environment(raw, position, path)
        elif tag == "!file":
            value = self._contents(raw, position, path)
        elif tag.startswith(_STANDARD):
            value = _typed(raw, tag.removeprefix(_STANDARD))
        else:
            self._refuse_tag(node, path)
        return Scalar(position, path, value, raw)

    def _refuse_tag(self, node: Any, path: str) -> None:  # noqa: ANN401
        message = f"unknown tag '{node.tag}', known are !env and !file; text is quoted"
        self._findings.breaks(self._position(node), path, message)

    def _environment(self, name: str, position: Position, path: str) -> str:
        value = os.environ.get(name)
        if value is None:
            self._findings.breaks(position, path, f"environment variable {name} is not set")
        return value or ""

    def _contents(self, name: str, position: Position, path: str) -> str:
        file = Path(self._directory, name)
        try:
            text = read_file(file).decode()
            if file.stat().st_mode & stat.S_IROTH:
                message = f"everybody on this machine may read {name}: chmod o-r {name}"
                self._findings.add(position, path, message, "lint")
        except OSError as error:
            self._findings.breaks(position, path, f"file {name}: {error.strerror}")
            return ""
        except UnicodeDecodeError:
            self._findings.breaks(position, path, f"file {name} is not UTF-8 text")
            return ""
        return text.removesuffix("\n").removesuffix("\r")

    def _listing(self, node: Any, path: str) -> Listing:  # noqa: ANN401
        children = list(node.value)
        if node.flow_style:
            children = [last for _, last in self._rejoined([(c, c) for c in children], path)]
        items = [
            self.build(child, f"{path}.{name}" if (name := _name(child)) else f"{path}[{index}]")
            for index, child in enumerate(children)
        ]
        return Listing(self._position(node), path, items)

    def _section(self, node: Any, path: str) -> Section:  # noqa: ANN401
        raw = self._text[node.start_mark.index : node.end_mark.index] if node.flow_style else ""
        section = Section(self._position(node), path, {}, raw)
        pairs = self._rejoined(node.value, path) if node.flow_style else node.value
        merged = []
        for key, value in pairs:
            if str(key.tag) == f"{_STANDARD}merge":
                merged.append(self.build(value, path))
            elif not isinstance(key, ScalarNode):
                self._refuse_key(key, path)
            else:
                self._add(section, key, value)
        for other in merged:
            self._merge(section, other)
        return section

    def _refuse_key(self, key: Any, path: str) -> None:  # noqa: ANN401
        raw = self._text[key.start_mark.index : key.end_mark.index]
        self._findings.add(self._position(key), path, f'a key is text; quote it: "{raw}"')

    def _add(self, section: Section, key: Any, value: Any) -> None:  # noqa: ANN401
        name, position = str(key.value), self._position(key)
        path = section.path_of(name)
        if str(key.tag) == _UNDEFINED_ALIAS:
            self._scalar(key, path)
        if first := section.entries.get(name):
            self._findings.add(
                position, path, f"'{name}' is defined twice, first at {first.key_position}"
            )
        else:
            node = self.build(value, path)
            if isinstance(node, Scalar) and node.raw == "" and node.value is None:
                node = replace(node, position=position)  # YAML has it where the next thing begins
            section.entries[name] = Entry(position, node)

    def _merge(self, section: Section, other: Node) -> None:
        """YAML's `<<: *defaults`: what is not given itself; of several the first counts."""
        if isinstance(other, Listing):
            for item in other.items:
                self._merge(section, item)
        elif isinstance(other, Section):
            section.entries = other.entries | section.entries
        else:
            self._findings.wrong(other, "'<<' takes a mapping, such as an alias of one")

    def _rejoined(self, pairs: list[tuple[Any, Any]], path: str) -> list[tuple[Any, Any]]:
        """Put element tags together again that a flow collection split at their commas."""
        joined: list[tuple[Any, Any]] = []
        parts: list[Any] = []
        for key, value in pairs:
            plain = isinstance(key, ScalarNode) and key.style is None
            if plain and (parts or _begins_tag(key.value)):
                parts.append(key)
                if not str(key.value).endswith(")"):
                    continue
                whole = self._refuse_split(parts, path)
                joined.append((whole, whole if value is key else value))
                parts = []
            else:
                joined.append((key, value))
        return joined + [(part, part) for part in parts]

    def _refuse_split(self, parts: list[Any], path: str) -> ScalarNode:
        first = parts[0]
        text = ",".join(str(part.value) for part in parts)
        position = self._position(first)
        self._findings.breaks(position, path, f'this is split at the comma; quote it: "{text}"')
        return ScalarNode(Tag(suffix=f"{_STANDARD}str"), text, first.start_mark, parts[-1].end_mark)


def _begins_tag(text: str) -> bool:
    return bool(_TAG_BEGINS.fullmatch(text))


def _name(node: Any) -> str | None:  # noqa: ANN401
    """What a list's item calls itself, such as a route."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.value == "name" and isinstance(value, ScalarNode) and value.value:
            return str(value.value)
    return None


def _typed(raw: str, tag: str) -> str | int | float | bool | None:
    match tag:
        case "null":
            return None
        case "bool":
            return raw.casefold() == "true"
        case "int" | "float":
            return _number(raw)
    return raw


def _number(raw: str) -> int | float | str:
    """What YAML 1.2 reads as a number; text where Python cannot (`-_`)."""
    digits = raw.replace("_", "")
    try:
        if "." in digits or ("e" in digits.lower() and "x" not in digits):
            return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
        return int(digits, 0 if digits.lstrip("+-")[:2] in ("0x", "0o", "0b") else 10)
    except ValueError:
        return raw
