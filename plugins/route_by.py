"""Adds destinations that an element names: `- route_by: {element: StationName, file: by.csv}`.

Without `file` the element's values are themselves names of destinations. With it they are looked
up in the column `key` of the CSV file (by default its first) and the names are in `value` (by
default the second), one in each row; it is read again when it has changed. What is not in the
table, or missing, goes to `default`; without one the copy is held. Rewritten values count.
"""

from pathlib import Path

from router import ElementPath, Hold, Instance, Table, element_texts, hookimpl


class RouteBy:
    def __init__(
        self,
        element: ElementPath,
        file: Path | None = None,
        key: str | None = None,
        value: str | None = None,
        default: list[str] | None = None,
    ) -> None:
        if file is None and (key or value):
            raise ValueError("`key` and `value` are columns of a `file`")
        self._element, self._default = element, default
        self._table = Table(file, key, value) if file else None

    @property
    def known_destinations(self) -> set[str]:
        """For `check`: those that the table and the default name."""
        return {*(self._table.values if self._table else ()), *(self._default or ())}

    @hookimpl
    def forward_instance(self, instance: Instance) -> list[str]:
        found: list[str] = []
        for text in element_texts(instance, self._element):
            found += self._table.find(text) if self._table else [text]
        if not found and self._default is None:
            raise Hold(f"{self._element} says no destination")
        return found or self._default or []
