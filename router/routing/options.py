"""A plugin's `options:` as its constructor's arguments, checked by their annotations."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.config.mistakes import nearest
from router.dataset import parse_path
from router.elements import ElementPath
from router.template import PathTemplate, Template
from router.when import When

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LISTS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
}
MAPPINGS = (dict, collections.abc.Mapping)
_OF_TEXT: dict[Any, Callable[[str], object]] = {
    Template: Template,
    PathTemplate: PathTemplate,
    ElementPath: parse_path,
}
_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


Arguments = tuple[list[object], dict[str, object]]


class OptionError(ValueError):
    """One option that does not fit; `path` leads to it from the options' top, or to its key."""

    def __init__(self, path: tuple[str, ...], message: str, about_key: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.about_key = about_key


@dataclass(frozen=True)
class Converter:
    """Makes values of annotations. Paths are relative to `directory`; `when` reads a mapping."""

    directory: Path
    when: Callable[[object, tuple[str, ...]], When]

    def convert(self, value: object, wanted: object, path: tuple[str, ...]) -> object:
        """`value` as the annotation `wanted` asks for; raises OptionError."""
        origin = typing.get_origin(wanted) or wanted
        if wanted in (Any, object, inspect.Parameter.empty):
            return value
        if origin in (typing.Union, types.UnionType):
            return self._one_of(value, typing.get_args(wanted), path)
        if origin is typing.Literal:
            return _literal(value, typing.get_args(wanted), path)
        if origin in LISTS:
            return self._list(value, origin, typing.get_args(wanted), path)
        if origin in MAPPINGS:
            return self._mapping(value, typing.get_args(wanted), path)
        return self._single(value, wanted, path)

    def _single(self, value: object, wanted: object, path: tuple[str, ...]) -> object:
        try:
            if wanted is When:
                return self.when(value, path)
            if wanted in (None, types.NoneType) and value is None:
                return None
            if wanted in _OF_TEXT:
                return _OF_TEXT[wanted](_text(value))
            if wanted is Path:
                return self.directory / _text(value)
            if wanted in _WORDS:
                return _plain(value, wanted)
        except ValueError as error:
            raise OptionError(path, str(error)) from None
        if wanted in (None, types.NoneType):
            raise OptionError(path, f"wants nothing, got {_told(value)}")
        raise OptionError(path, f"the plugin wants {wanted!r}, which no option can be")

    def _one_of(self, value: object, wanted: tuple[object, ...], path: tuple[str, ...]) -> object:
        problems = []
        for each in wanted:
            try:
                return self.convert(value, each, path)
            except OptionError as error:
                if error.path != path:  # the kind is right, something within is not
                    raise
                if each is not types.NoneType:
                    problems.append(error.message)
        of_its_kind = [told for told in problems if not told.startswith("wants ")]
        if of_its_kind:
            raise OptionError(path, " or ".join(dict.fromkeys(of_its_kind)))
        kinds = dict.fromkeys(told[len("wants ") :].partition(", got ")[0] for told in problems)
        raise OptionError(path, f"wants {' or '.join(kinds)}, got {_told(value)}")

    def _list(
        self, value: object, kind: object, of: tuple[object, ...], path: tuple[str, ...]
    ) -> object:
        if not isinstance(value, list | tuple):
            raise OptionError(path, f"wants a list, got {_told(value)}")
        if kind is tuple and of and of[-1] is not Ellipsis:
            if len(value) != len(of):
                raise OptionError(path, f"wants {len(of)} values, got {len(value)}")
            kinds = of
        else:
            kinds = (of[0] if of else Any,) * len(value)
        return LISTS[kind](
            [
                self.convert(each, wanted, (*path, str(index)))
                for index, (each, wanted) in enumerate(zip(value, kinds, strict=True))
            ]
        )

    def _mapping(self, value: object, of: tuple[object, ...], path: tuple[str, ...]) -> object:
        if not isinstance(value, collections.abc.Mapping):
            raise OptionError(path, f"wants a mapping, got {_told(value)}")
        key_type, value_type = of or (Any, Any)
        return {
            self._key(key, key_type, path): self.convert(each, value_type, (*path, str(key)))
            for key, each in value.items()
        }

    def _key(self, key: object, wanted: object, path: tuple[str, ...]) -> object:
        try:
            return self.convert(key, wanted, (*path, str(key)))
        except OptionError as error:
            raise OptionError(error.path, error.message, about_key=True) from None


def bind(plugin: type, options: object, converter: Converter) -> Arguments:
    """What to call `plugin`'s constructor with; raises an ExceptionGroup of OptionErrors.

    A constructor whose only parameter is positional-only takes the options whole.
    """
    parameters = parameters_of(plugin)
    whole = [p for p in parameters.values() if p.kind is p.POSITIONAL_ONLY]
    if whole:
        if len(parameters) > 1:
            raise _group([OptionError((), "its constructor mixes a positional-only parameter")])
        return _bind_whole(whole[0], options, converter)
    if options is None:
        options = {}
    if not isinstance(options, collections.abc.Mapping):
        raise _group([OptionError((), f"wants its options by name, got {_told(options)}")])
    return [], _bind_by_name(parameters, options, converter)


def _bind_whole(parameter: inspect.Parameter, options: object, converter: Converter) -> Arguments:
    if options is None and parameter.default is not parameter.empty:
        return [], {}
    try:
        return [converter.convert(options, parameter.annotation, ())], {}
    except OptionError as error:
        raise _group([error]) from None


def _bind_by_name(
    parameters: Mapping[str, inspect.Parameter], options: Mapping[Any, Any], converter: Converter
) -> dict[str, object]:
    rest = next((p for p in parameters.values() if p.kind is p.VAR_KEYWORD), None)
    named = {n: p for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    mistakes: list[OptionError] = []
    arguments: dict[str, object] = {}
    for name, value in options.items():
        parameter = named.get(str(name), rest)
        if parameter is None:
            mistakes.append(OptionError((str(name),), _unknown(str(name), named), about_key=True))
            continue
        try:
            arguments[str(name)] = converter.convert(value, parameter.annotation, (str(name),))
        except OptionError as error:
            mistakes.append(error)
    mistakes += [
        OptionError((), f"the option {name!r} is missing")
        for name, parameter in named.items()
        if parameter.default is parameter.empty and name not in map(str, options)
    ]
    if mistakes:
        raise _group(mistakes)
    return arguments


def parameters_of(plugin: type) -> dict[str, inspect.Parameter]:
    """The constructor's parameters with their annotations as objects."""
    constructor = plugin.__init__  # type: ignore[misc]
    if constructor is object.__init__:
        return {}
    try:
        hints = typing.get_type_hints(constructor)
    except NameError as error:
        told = f"{error}, which its constructor's annotations need: import it at run time"
        raise _group([OptionError((), told)]) from None
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return {p.name: p.replace(annotation=hints.get(p.name, p.empty)) for p in parameters}


def _plain(value: object, wanted: object) -> object:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:
        return value
    hint = ": quote it" if wanted is str and isinstance(value, int | float) else ""
    raise ValueError(f"wants {_WORDS[wanted]}, got {_told(value)}{hint}")


def _text(value: object) -> str:
    return str(_plain(value, str))


def _literal(value: object, choices: tuple[Any, ...], path: tuple[str, ...]) -> object:
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return choice
    listed = ", ".join(str(choice) for choice in choices)
    near = nearest(value, [str(choice) for choice in choices]) if isinstance(value, str) else ""
    raise OptionError(path, f"wants one of {listed}; got {_told(value)}{near}")


def _unknown(name: str, known: Mapping[str, object]) -> str:
    if near := nearest(name, known):
        return f"is not an option of this plugin{near}"
    return f"is not an option of this plugin, which takes {', '.join(known) or 'none'}"


def _told(value: object) -> str:
    """A value for an error message: what kind it is, and what it is where that is no secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case collections.abc.Mapping():
            return "a mapping"
        case _:
            return "a list"


def _group(mistakes: list[OptionError]) -> ExceptionGroup[OptionError]:
    return ExceptionGroup("options", mistakes)
