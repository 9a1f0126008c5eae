"""The configuration as JSON Schema, for editors: what may stand where, and what it is for.

Draft 7, which is what YAML extensions of editors know. Read from the model, the reference page and
the plugins; what only `check` can know (names, files, what fits together) is left to it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BeforeValidator, GetPydanticSchema, Tag, WithJsonSchema
from pydantic_core import PydanticUndefined

from router.config.model import AnyDestination, Config
from router.config.parts import Model
from router.config.reference import explanation
from router.config.schema import keys_of
from router.config.value_schemas import DURATION, NAME
from router.config.when_schema import WHEN, definitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

Schema: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, ...]

_CHAIN: Schema = {"$ref": "#/definitions/chain"}
_TYPES: dict[Any, str] = {str: "string", bool: "boolean"}


def json_schema(plugins: Mapping[str, Schema]) -> Schema:
    """The schema of a whole file; `plugins` are the schemas of what each known plugin takes."""
    whole = _model(Config, ())
    whole["properties"]["plugins"] |= _by_name(_plugin(plugins))
    for name, schema in whole["properties"].items():
        whole["properties"][name] = _or_nothing(schema)  # `routes:` with nothing below
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A dicom-router configuration",
        **whole,
        "definitions": {**definitions(), **_chains(plugins)},
    }


def _or_nothing(schema: Schema) -> Schema:
    """The schema, where nothing may stand after the key as well."""
    if "type" not in schema:
        texts = {"description", "markdownDescription"} & schema.keys()
        inner = {key: value for key, value in schema.items() if key not in texts}
        return {**{key: schema[key] for key in texts}, "anyOf": [inner, {"type": "null"}]}
    kinds = schema["type"]
    return {**schema, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}


def _model(model: type[Model], place: Place) -> Schema:
    fields = {key: model.model_fields[key] for key in keys_of(model)}
    required = [key for key, field in fields.items() if field.is_required()]
    return {
        "type": "object",
        "description": inspect.getdoc(model) or "",
        "properties": {key: _key(key, field, place) for key, field in fields.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _key(key: str, field: FieldInfo, place: Place) -> Schema:
    text = explanation(place, key)
    schema = _field(key, field, (*place, key))
    if "$ref" in schema:
        schema = {"allOf": [schema]}  # beside a reference nothing counts
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    stated = default is not PydanticUndefined and default is not None and default != {}
    return {
        **schema,
        "description": text.replace("`", ""),
        "markdownDescription": text,
        **({"default": default} if stated else {}),
    }


def _field(key: str, field: FieldInfo, place: Place) -> Schema:
    """A key's own value; what is not read by the model has its schema by name."""
    if any(isinstance(each, GetPydanticSchema) for each in field.metadata):
        by_hand: Mapping[str, Schema] = {
            "chain": _CHAIN,
            "when": {"anyOf": [{"const": "otherwise"}, WHEN]},
            "plugins": {"type": "object"},
            "header": {"type": "object"},
            "values": {"type": "object"},
        }
        return dict(by_hand.get(key, {}))
    return _value(field.annotation, field.metadata, place)


def _value(annotation: Any, metadata: Sequence[Any], place: Place) -> Schema:  # noqa: ANN401
    for each in metadata:
        if isinstance(each, WithJsonSchema) and each.json_schema is not None:
            return dict(each.json_schema)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is AnyDestination:
        return _destination(arguments[0], place)
    if origin is Annotated:
        return _value(arguments[0], arguments[1:], place)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return _model(annotation, place)
    if origin is Mapping:
        return _by_name(_value(arguments[1], (), (*place, "*")))
    if origin is tuple:
        item = _value(arguments[0], (), (*place, "*"))
        listing = {"type": "array", "items": item}
        one_will_do = any(isinstance(each, BeforeValidator) for each in metadata)
        return {"anyOf": [item, listing]} if one_will_do else listing
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        several = [_value(each, (), place) for each in arguments if each is not types.NoneType]
        return several[0] if len(several) == 1 else {"anyOf": several}
    return {"type": _TYPES[annotation]} if annotation in _TYPES else {}


def _by_name(schema: Schema) -> Schema:
    names = NAME.json_schema or {}
    return {"type": "object", "propertyNames": names, "additionalProperties": schema}


def _destination(kinds: Any, place: Place) -> Schema:  # noqa: ANN401
    """By its `type`, which is dicom where it is not given."""
    schemas: dict[str, Schema] = {}
    for kind in get_args(kinds):
        model, *metadata = get_args(kind)
        (tag,) = (each.tag for each in metadata if isinstance(each, Tag))
        schemas[tag] = _model(model, (*place, tag))
    named = schemas["plugin"]["properties"]["type"]
    schemas["plugin"]["properties"]["type"] = named | {"examples": ["dicom", "folder"]}
    return {
        "type": "object",
        "if": {"properties": {"type": {"const": "dicom"}}},
        "then": schemas["dicom"],
        "else": {
            "if": {"properties": {"type": {"const": "folder"}}},
            "then": schemas["folder"],
            "else": schemas["plugin"],
        },
    }


def _plugin(plugins: Mapping[str, Schema]) -> Schema:
    """An entry of `plugins:`."""
    place = ("plugins", "*")
    keys: dict[str, Schema] = {
        "use": {"type": "string", "anyOf": [{"enum": list(plugins)}, {"pattern": r"\.py:"}]},
        "options": {},
        "timeout": {**(DURATION.json_schema or {}), "default": "30 s"},
    }
    for key, schema in keys.items():
        text = explanation(place, key)
        schema |= {"description": text.replace("`", ""), "markdownDescription": text}
    return {
        "type": "object",
        "properties": keys,
        "required": ["use"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": {"properties": {"options": _or_nothing(schema)}},
            }
            for name, schema in plugins.items()
        ],
    }


def _chains(plugins: Mapping[str, Schema]) -> dict[str, Schema]:
    """A chain, and one step of it: a plugin's name, or its name with options."""
    step: Schema = {
        "type": ["string", "object"],
        "examples": list(plugins),
        "minProperties": 1,
        "properties": {
            **{name: _or_nothing(schema) for name, schema in plugins.items()},
            "when": {"allOf": [WHEN], "description": "Only what meets this goes through the step."},
            "timeout": {
                **(DURATION.json_schema or {}),
                "description": "For each of its hooks; instead of the plugin's own.",
            },
        },
    }
    listing = {"type": ["string", "object", "array"], "items": {"$ref": "#/definitions/step"}}
    return {"step": step, "chain": {**step, **listing}}
