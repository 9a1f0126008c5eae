"""Sets elements that are missing or empty: `- default: {InstitutionName: "St. Elsewhere"}`.

What an element has, it keeps. Otherwise as `set`.
"""

from router import (
    ElementPath,
    Instance,
    Template,
    element_places,
    element_value,
    element_vr,
    hookimpl,
    read_texts,
    write_texts,
)


class SetWhereEmpty:
    def __init__(self, values: dict[ElementPath, Template | int | float], /) -> None:
        self._values = {path: _template(value) for path, value in values.items()}
        for path, template in self._values.items():
            if template.constant == "":
                raise ValueError(f"{path}: nothing is no default")
            try:
                element_value(element_vr(path), [template.constant] if template.constant else [])
            except (ValueError, OverflowError):
                told = f"{path} does not take {template.text!r} (VR {element_vr(path)})"
                raise ValueError(told) from None

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        empty = [
            (dataset, tag, template)
            for path, template in self._values.items()
            for dataset, tag in element_places(instance.dataset, path, create=True)
            if not read_texts(dataset, tag)
        ]
        rendered = [template.render(instance) for _, _, template in empty]
        for (dataset, tag, _), text in zip(empty, rendered, strict=True):
            write_texts(dataset, tag, [text])

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _template(value: Template | int | float) -> Template:
    return value if isinstance(value, Template) else Template(str(value))
