"""Which keys a configuration may have where, read from the model."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import Tag

from router.config.model import Config
from router.config.parts import Model

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def models() -> dict[tuple[str, ...], type[Model]]:
    """The model at every path; `*` stands for a name or an index, a destination's type follows it.

    `("destinations", "*", "dicom", "retry")`, for example, as pydantic gives places too.
    """
    return dict(_walk(Config, ()))


def keys_at(location: tuple[str | int, ...]) -> list[str]:
    """The keys known at a place, as pydantic gives places."""
    for path, model in models().items():
        if len(path) == len(location) and all(
            part in ("*", str(given)) for part, given in zip(path, location, strict=True)
        ):
            return keys_of(model)
    return []


def keys_of(model: type[Model]) -> list[str]:
    """The keys of one model, without what the loader adds."""
    return [name for name, field in model.model_fields.items() if field.alias is None]


def _walk(
    annotation: Any,  # noqa: ANN401
    path: tuple[str, ...],
) -> Iterator[tuple[tuple[str, ...], type[Model]]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield path, annotation
        for name in keys_of(annotation):
            yield from _walk(annotation.model_fields[name].annotation, (*path, name))
    elif origin is Annotated:
        tags = tuple(each.tag for each in arguments[1:] if isinstance(each, Tag))
        yield from _walk(arguments[0], path + tags)
    elif origin is Mapping:
        yield from _walk(arguments[1], (*path, "*"))
    elif origin is tuple:
        yield from _walk(arguments[0], (*path, "*"))
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _walk(argument, path)
