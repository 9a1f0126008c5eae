r"""Replaces parts of values: `- replace: {StudyDescription: {text: "CT ", with: ""}}`.

`text` is replaced wherever it is found, case counts. `expression` is a Python regular expression,
in whose `with` \1 is its first group: `{expression: "^0+(\\d+)$", with: "\\1"}`. A list of them
is applied in order. An expression that takes too long on a value is ended by the chain entry's
`timeout`, and the copy is held.
"""

import re
from collections.abc import Callable
from typing import Literal

from router import ElementPath, Instance, element_places, hookimpl, read_texts, write_texts

Replacement = dict[Literal["text", "expression", "with"], str]


class Replace:
    def __init__(self, elements: dict[ElementPath, list[Replacement] | Replacement], /) -> None:
        self._changes = {
            path: [_change(path, each) for each in (given if isinstance(given, list) else [given])]
            for path, given in elements.items()
        }

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        for path, changes in self._changes.items():
            for dataset, tag in element_places(instance.dataset, path):
                texts = read_texts(dataset, tag)
                made = [_changed(text, changes) for text in texts]
                if made != texts:
                    write_texts(dataset, tag, made if any(made) else [])

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _changed(text: str, changes: list[Callable[[str], str]]) -> str:
    for change in changes:
        text = change(text)
    return text


def _change(path: ElementPath, given: Replacement) -> Callable[[str], str]:
    text, expression, new = given.get("text"), given.get("expression"), given.get("with")
    if new is None or (text is None) == (expression is None):
        raise ValueError(f"{path} wants `text` or `expression`, and `with`")
    if text == "":
        raise ValueError(f"{path}: an empty `text` is found everywhere; `prefix` puts one before")
    if text is not None:
        return lambda value: value.replace(text, new)
    try:
        pattern = re.compile(expression or "")
        _check_groups(pattern, new)
    except (re.error, IndexError) as error:
        raise ValueError(f"{path}: {expression!r} with {new!r}: {error}") from None
    return lambda value: pattern.sub(new, value)


def _check_groups(pattern: re.Pattern[str], new: str) -> None:
    """Have `re` read what the pattern's matches are replaced by; it does so only at a match."""
    anything = re.compile(f"(?:{pattern.pattern})|", pattern.flags)
    anything.sub(new, "")
