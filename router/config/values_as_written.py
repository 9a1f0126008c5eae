"""Values of a checked configuration as a file has them, for telling what is different."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import PlainValidator

from router.config import units
from router.config import when as w
from router.config.file_values import FileContent
from router.config.passcodes import Passcodes
from router.config.values import close_after, dimse_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic.fields import FieldInfo

_PATIENT = 0x0010  # the group of what identifies patients: PS3.6

_TEXTS: dict[Any, Callable[[Any], str]] = {
    units.duration: units.duration_text,
    units.duration_or_never: units.duration_text,
    close_after: units.duration_text,
    units.size: units.size_text,
    units.size_or_unlimited: units.size_text,
    units.rate: units.rate_text,
    dimse_status: lambda status: f"0x{status:04X}",
}


def as_written(value: object, field: FieldInfo, home: Path | None = None) -> str:
    """The value of a key; paths are relative to `home` where they are below it."""
    if isinstance(value, tuple):
        return f"[{', '.join(items_as_written(value, field))}]"
    if value is None and isinstance(field.default, str):
        return field.default  # the machine's own time zone
    return _written(value, field.metadata, home)


def items_as_written(values: Sequence[object], field: FieldInfo) -> list[str]:
    """Each of the several values of a key."""
    item = (*get_args(field.annotation), None)[0]
    metadata = get_args(item)[1:] if get_origin(item) is Annotated else ()
    return [_written(value, metadata, None) for value in values]


def _written(value: object, metadata: Sequence[Any], home: Path | None) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() | float():
            for each in metadata:
                if isinstance(each, PlainValidator) and each.func in _TEXTS:
                    return _TEXTS[each.func](value)
        case FileContent() | Passcodes():
            return _written(value.path, (), home)
        case Path():
            inside = home is not None and value.is_relative_to(home)
            return f"./{value.relative_to(home)}" if home and inside else str(value)
        case ZoneInfo():
            return value.key
    return str(value)


def condition_as_written(when: w.When | str | None) -> str:
    """A `when` on one line, without values of elements that identify patients."""
    match when:
        case None:
            return "always"
        case str():
            return when
        case w.Element() if any(step.tag >> 16 == _PATIENT for step in when.path.steps):
            return f"{when.path}: (not shown)"
        case w.Element() | w.AssociationIs():
            return when.text
        case w.Not():
            return f"not ({condition_as_written(when.condition)})"
        case w.All():
            return ", ".join(map(condition_as_written, when.conditions)) or "always"
        case w.Any_():
            return f"({' or '.join(map(condition_as_written, when.conditions))})"


def conditions_of(when: w.When | str | None) -> Iterator[tuple[object, ...]]:
    """What a `when` tests, wherever the files it reads lie; two that are equal do the same."""
    match when:
        case w.Element() | w.AssociationIs():
            yield when.text, *(t.values for t in when.tests if isinstance(t, w.Listed))
        case w.Not():
            yield "not", *conditions_of(when.condition)
        case w.All() | w.Any_():
            yield type(when), *(tuple(conditions_of(each)) for each in when.conditions)
        case _:
            yield (when,)
