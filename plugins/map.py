"""Replaces values by those of a table: `- map: {element: PatientID, file: ids.csv}`.

The CSV file is UTF-8 with names in its first row: `key` and `value` are the columns to look in
and to take from, by default the first and the second. It is read again when it has changed. `into`
is where the new value goes, if not in the place of the old. A value that is not in the table, or
missing, holds the copy; with `default` it becomes that, with `missing: keep` it stays.
"""

from pathlib import Path
from typing import Literal

from router import (
    ElementPath,
    Hold,
    Instance,
    Table,
    Template,
    element_places,
    element_texts,
    hookimpl,
    read_texts,
    write_texts,
)


class Map:
    def __init__(
        self,
        element: ElementPath,
        file: Path,
        key: str | None = None,
        value: str | None = None,
        into: ElementPath | None = None,
        default: Template | None = None,
        missing: Literal["hold", "keep"] = "hold",
    ) -> None:
        if default and missing == "keep":
            raise ValueError("with a `default` there is nothing to keep")
        if into and element.everywhere:
            raise ValueError(f"{element} is in many places, `into` in one: leave one of them out")
        self._element, self._into = element, into
        self._table = Table(file, key, value)
        self._default, self._missing = default, missing

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        if self._into is not None:
            found = self._mapped(element_texts(instance, self._element), instance)
            if found is not None:
                for dataset, tag in element_places(instance.dataset, self._into, create=True):
                    write_texts(dataset, tag, found)
            return
        places = list(element_places(instance.dataset, self._element))
        if not (places or self._element.everywhere) and self._missing == "hold":
            places = list(element_places(instance.dataset, self._element, create=True))
        mapped = [self._mapped(read_texts(dataset, tag), instance) for dataset, tag in places]
        for (dataset, tag), texts in zip(places, mapped, strict=True):
            if texts is not None:
                write_texts(dataset, tag, texts)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)

    def _mapped(self, texts: list[str], instance: Instance) -> list[str] | None:
        """The new values, None where the old ones stay."""
        found: list[str] = []
        for text in texts or [""]:
            values = set(self._table.find(text))
            if len(values) > 1:
                raise Hold(f"the value of {self._element} is in the table twice")
            if not values and self._default:
                values = {self._default.render(instance)}
            if not values:
                if self._missing == "hold":
                    raise Hold(f"the value of {self._element} is not in the table")
                values = {text}
            found += values
        return None if found == (texts or [""]) else found
