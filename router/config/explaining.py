"""What pydantic found wrong, said in our words at the place in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from router.config.mistakes import nearest, suggest
from router.config.schema import keys_at
from router.config.tree import Entry, Findings, Listing, Node, Scalar, Section, described, instead

if TYPE_CHECKING:
    from pydantic import ValidationError

Location = tuple[str | int, ...]


def explain(error: ValidationError, root: Section, findings: Findings) -> None:
    """Find a mistake for every error of the validation of `root`."""
    for each in error.errors(include_url=False, include_input=False):
        location: Location = each["loc"]
        entry, node = _find(root, location)
        match each["type"]:
            case "extra_forbidden":
                key = str(location[-1])
                hint = _of_another_type(location) or suggest(key, keys_at(location[:-1]))
                position = entry.key_position if entry else node.position
                findings.add(position, node.path, f"unknown key '{key}'{hint}")
            case "missing":
                _missing(root, location, findings)
            case _ if location[-1] == "[key]" and entry:
                findings.add(entry.key_position, node.path, _message(each, node))
            case _:
                findings.wrong(node, _message(each, node))


def _find(root: Section, location: Location) -> tuple[Entry | None, Node]:
    """The node at a place and the entry it is the value of.

    A place also holds the kinds of what can be several things, which the file does not have.
    """
    if location[:1] == ("destinations",):
        location = location[:2] + location[3:]
    entry: Entry | None = None
    node: Node = root
    for part in location:
        if isinstance(node, Section) and str(part) in node.entries:
            entry = node.entries[str(part)]
            node = entry.node
        elif isinstance(node, Listing) and isinstance(part, int):
            entry, node = None, node.items[part]
    return entry, node


def _of_another_type(location: Location) -> str:
    """What to write where a destination has a key that is another type's."""
    if location[0] != "destinations" or len(location) != 4:
        return ""
    *destination, given, key = location
    has = [kind for kind in ("dicom", "folder") if key in keys_at((*destination, kind))]
    return f" where the type is {given}; `type: {has[0]}` has it" if has else ""


def _missing(root: Section, location: Location, findings: Findings) -> None:
    key = str(location[-1])
    if key.startswith("("):  # what the loader adds, where the file has not enough for it
        return
    entry, node = _find(root, location[:-1])
    position = entry.key_position if entry else node.position
    findings.add(position, node.path, f"'{key}' is missing")


def _message(error: Any, node: Node) -> str:  # noqa: ANN401
    match error["type"]:
        case "value_error":
            message = str(error["ctx"]["error"])
            return f"{message}, {instead(node)}" if message.startswith("expected") else message
        case "literal_error" if isinstance(node, Scalar) and isinstance(node.value, str):
            choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            hint = nearest(node.value, choices)
            return f"'{node.value}' is not {_one_of(choices)}{hint}"
        case "string_type" | "literal_error":
            return described(node)
        case "bool_type":
            return f"expected true or false, {instead(node)}"
        case "tuple_type":
            return f"expected a list, {instead(node)}"
        case _:
            return f"expected `key: value` lines, {instead(node)}"


def _one_of(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
