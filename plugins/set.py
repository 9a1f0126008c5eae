"""Sets elements: `- set: {InstitutionName: "St. Elsewhere", PatientID: "X{PatientID}"}`.

Templates see the instance as it was before this step; a value missing in one holds the copy.
An empty value empties the element; sequences on the way to an element are made if missing.
"""

from pydicom.dataelem import DataElement

from router import (
    ElementPath,
    Instance,
    Template,
    element_places,
    element_value,
    element_vr,
    hookimpl,
    write_texts,
)

Value = Template | int | float | None


class SetElements:
    def __init__(self, values: dict[ElementPath, list[Value] | Value], /) -> None:
        self._values: dict[ElementPath, list[Value]] = {
            path: [part for part in _listed(value) if part is not None and _text(part) != ""]
            for path, value in values.items()
        }
        constants = {path: _constant(path, parts) for path, parts in self._values.items()}
        self._constants = {path: made for path, made in constants.items() if made is not None}

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        rendered = {
            path: [_rendered(part, instance) for part in parts]
            for path, parts in self._values.items()
            if path not in self._constants
        }
        for path in self._values:
            constant = self._constants.get(path)
            for dataset, tag in element_places(instance.dataset, path, create=True):
                if constant is None:
                    write_texts(dataset, tag, rendered[path])
                else:
                    vr, value = constant.VR, constant.value
                    dataset[tag] = DataElement(tag, vr, value, already_converted=True)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _listed(value: list[Value] | Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _text(part: Value) -> str | None:
    """What a value says for every instance, None where that depends."""
    return part.constant if isinstance(part, Template) else str(part)


def _rendered(part: Value, instance: Instance) -> str:
    return part.render(instance) if isinstance(part, Template) else str(part)


def _constant(path: ElementPath, parts: list[Value]) -> DataElement | None:
    """What the element is set to in every instance, None where that depends.

    ValueError where it cannot be set to that.
    """
    vr = element_vr(path)
    texts = [text for text in map(_text, parts) if text is not None]
    try:
        element_value(vr, [])
    except ValueError:
        raise ValueError(f"{path} has VR {vr}, which cannot be set") from None
    try:
        value = element_value(vr, texts)
    except (ValueError, OverflowError):
        raise ValueError(f"{path} does not take {', '.join(map(repr, texts))}") from None
    step = path.steps[-1]
    if len(texts) != len(parts) or len(texts) > 1 or step.creator:
        return None  # a list could be changed by the next plugin; a private VR is the instance's
    return DataElement(step.tag, vr, value)
