"""Puts a text before values: `- prefix: {PatientID: "EXT-", AccessionNumber: "{StationName}-"}`.

Every value of an element gets it; an element that is missing or empty stays so. A result that is
too long for its VR holds the copy.
"""

from router import (
    ElementPath,
    Instance,
    Template,
    element_places,
    hookimpl,
    read_texts,
    write_texts,
)


class Prefix:
    def __init__(self, texts: dict[ElementPath, Template], /) -> None:
        self._texts = texts

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        places = [
            (dataset, tag, template)
            for path, template in self._texts.items()
            for dataset, tag in element_places(instance.dataset, path)
        ]
        made = [
            [self._join(text, template.render(instance)) for text in read_texts(dataset, tag)]
            for dataset, tag, template in places
        ]
        for (dataset, tag, _), texts in zip(places, made, strict=True):
            if texts:
                write_texts(dataset, tag, texts)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)

    def _join(self, value: str, text: str) -> str:
        return text + value
