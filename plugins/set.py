"""Sets elements: `- set: {InstitutionName: "St. Elsewhere", PatientID: "X{PatientID}"}`.

Templates see the instance as it was before this step; a value missing in one holds the copy.
An empty value empties the element; sequences on the way to an element are made if missing.
"""

from pydicom import config
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.dataelem import DataElement

from router import ElementPath, Hold, Instance, Template, element_places, hookimpl

Value = Template | int | float | None

_WITHOUT_TEXT = ("SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "AT")
_WHOLE_NUMBERS = ("US", "SS", "UL", "SL", "UV", "SV")
_BINARY_FRACTIONS = ("FL", "FD")


class SetElements:
    def __init__(self, values: dict[ElementPath, list[Value] | Value], /) -> None:
        self._values = {
            path: value if isinstance(value, list) else [value] for path, value in values.items()
        }
        for path, parts in self._values.items():
            if _vr(path) in _WITHOUT_TEXT:
                raise ValueError(f"{path} has VR {_vr(path)}, which cannot be set")
            texts = [part.constant if isinstance(part, Template) else part for part in parts]
            _check_constant(path, texts)

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        made = [(path, _rendered(path, parts, instance)) for path, parts in self._values.items()]
        for path, value in made:
            for dataset, tag in element_places(instance.dataset, path, create=True):
                dataset[tag] = DataElement(tag, _vr(path), value)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)


def _check_constant(path: ElementPath, texts: list[str | int | float | None]) -> None:
    given = [str(text) for text in texts if text is not None]
    try:
        if len(given) == len(texts):
            _checked(path, given)
    except ValueError:
        raise ValueError(f"{path} does not take {', '.join(map(repr, given))}") from None


def _rendered(path: ElementPath, parts: list[Value], instance: Instance) -> object:
    texts = [
        part.render(instance) if isinstance(part, Template) else str(part)
        for part in parts
        if part is not None and not (isinstance(part, Template) and part.constant == "")
    ]
    try:
        return _checked(path, texts)
    except ValueError:
        raise Hold(f"{path} does not take what it is to be set to (VR {_vr(path)})") from None


def _checked(path: ElementPath, texts: list[str]) -> object:
    """The value as pydicom takes it; ValueError when it does not fit the VR (PS3.5 6.2)."""
    vr = _vr(path)
    values: list[object] = list(texts)
    if vr in _WHOLE_NUMBERS:
        values = [int(text) for text in texts]
    elif vr in _BINARY_FRACTIONS:
        values = [float(text) for text in texts]
    value = values[0] if len(values) == 1 else values or None
    DataElement(path.steps[-1].tag, vr, value, validation_mode=config.RAISE)
    return value


def _vr(path: ElementPath) -> str:
    """The element's VR; of several possible the first (`US or SS`)."""
    step = path.steps[-1]
    try:
        if step.creator:
            return private_dictionary_VR(step.tag, step.creator)
        return dictionary_VR(step.tag)[:2]
    except KeyError:
        return "LO" if step.creator else "UN"
