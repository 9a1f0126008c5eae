"""What a plugin takes, as JSON Schema: read from its constructor, as its options are."""

from __future__ import annotations

import inspect
import types
import typing
from pathlib import Path
from typing import Any

from router.config.when_schema import ELEMENT_PATTERN, WHEN
from router.elements import ElementPath
from router.routing.options import LISTS, MAPPINGS, parameters_of
from router.routing.plugins import PluginError, load_plugin
from router.template import PathTemplate, Template
from router.when import When

Schema = dict[str, Any]

_ELEMENT = {"type": "string", "pattern": ELEMENT_PATTERN}
_SINGLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    Path: {"type": "string"},
    Template: {"type": "string"},
    PathTemplate: {"type": "string"},
    ElementPath: _ELEMENT,
    When: WHEN,
}


def options_schema(name: str, directory: Path) -> Schema:
    """The options of a plugin by its `use`; anything, for one that cannot be loaded."""
    try:
        plugin = load_plugin(name, directory)
        parameters = parameters_of(plugin)
    except (PluginError, ExceptionGroup):
        return {}
    about = inspect.getdoc(plugin) or inspect.getdoc(inspect.getmodule(plugin)) or ""
    whole = [p for p in parameters.values() if p.kind is p.POSITIONAL_ONLY]
    schema = _of(whole[0].annotation) if whole else _by_name(parameters)
    if "$ref" in schema:
        schema = {"allOf": [schema]}
    return {**schema, "description": about, "markdownDescription": about}


def _by_name(parameters: typing.Mapping[str, inspect.Parameter]) -> Schema:
    named = {n: p for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    rest = [_of(p.annotation) for p in parameters.values() if p.kind is p.VAR_KEYWORD]
    required = [name for name, p in named.items() if p.default is p.empty]
    return {
        "type": "object",
        "properties": {name: _option(p) for name, p in named.items()},
        **({"required": required} if required else {}),
        "additionalProperties": rest[0] if rest else False,
    }


def _option(parameter: inspect.Parameter) -> Schema:
    stated = isinstance(parameter.default, str | int | float)  # not None, and nothing built
    return _of(parameter.annotation) | ({"default": parameter.default} if stated else {})


def _of(wanted: Any) -> Schema:  # noqa: ANN401
    origin, arguments = typing.get_origin(wanted) or wanted, typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_of(each) for each in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in LISTS:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            size = len(arguments)
            items = [_of(each) for each in arguments]
            return {"type": "array", "items": items, "minItems": size, "maxItems": size}
        return {"type": "array", "items": _of(arguments[0] if arguments else Any)}
    if origin in MAPPINGS:
        key, value = arguments or (Any, Any)
        return {"type": "object", "propertyNames": _of(key), "additionalProperties": _of(value)}
    return dict(_SINGLE.get(wanted, {}))
