"""Templates such as `{PatientID}/{received}`: texts made of an instance's values."""

from __future__ import annotations

import string
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from router.dataset import parse_path
from router.elements import ElementPath, element_texts
from router.files import is_safe_name, relative_parts, safe_name
from router.instance import Hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.instance import Instance

_ASSOCIATION_FIELDS = ("calling_ae_title", "called_ae_title", "peer", "received")

Part = str | tuple[str, ElementPath | None]


class Template:
    """`{Keyword}` (any element path a `when` takes), `{calling_ae_title}`, `{called_ae_title}`,
    `{peer}` and `{received}` (a DICOM DT) replaced by an instance's values; `{{` is a brace.

    Several values are joined by a backslash. Raises ValueError for what is no template.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = tuple(_parse(text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    @property
    def constant(self) -> str | None:
        """The text, where it is the same for every instance."""
        if all(isinstance(part, str) for part in self._parts):
            return "".join(map(str, self._parts))
        return None

    def render(self, instance: Instance) -> str:
        """The text for this instance as it is now. A missing or empty value raises `Hold`."""
        return self._render(instance, str)

    def render_name(self, instance: Instance) -> str:
        """As `render`, as the name of one file: see `safe_name`."""
        name = self._render(instance, safe_name)
        return name if is_safe_name(name) else safe_name(name)

    def _render(self, instance: Instance, made: Callable[[str], str]) -> str:
        return "".join(
            part if isinstance(part, str) else made(_value(instance, *part)) for part in self._parts
        )


class PathTemplate:
    """A template for a relative path; every value is made safe and stays within its part."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = tuple(Template(part) for part in relative_parts(text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def render(self, instance: Instance) -> PurePosixPath:
        """The path for this instance as it is now. A missing or empty value raises `Hold`."""
        return PurePosixPath(*(part.render_name(instance) for part in self._parts))


def _parse(text: str) -> list[Part]:
    parts: list[Part] = []
    try:
        for literal, field, spec, conversion in string.Formatter().parse(text):
            if literal:
                parts.append(literal)
            if field is None:
                continue
            if spec or conversion or not field:
                raise ValueError("a value is written {Keyword}, with nothing else in the braces")
            parts.append((field, None if field in _ASSOCIATION_FIELDS else parse_path(field)))
    except ValueError as error:
        raise ValueError(f"{text!r} is no template: {error}") from None
    return parts


def _value(instance: Instance, name: str, path: ElementPath | None) -> str:
    if path is not None:
        text = "\\".join(element_texts(instance, path))
    elif name == "received":
        text = instance.received.strftime("%Y%m%d%H%M%S.%f%z")
    else:
        text = getattr(instance.association, name) or ""
    if not text:
        raise Hold(f"{{{name}}} is missing or empty in this instance")
    return text
