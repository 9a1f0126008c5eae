"""Removes elements: `- remove: [PatientComments, "(0029,10,SIEMENS CSA HEADER)", {private: all}]`.

`{private: CREATOR}` is all that creator's elements at any depth, `{private: all}` all private ones.
"""

from typing import Literal

from pydicom.dataset import Dataset

from router import ElementPath, Instance, element_places, hookimpl, levels

Private = dict[Literal["private"], str]


class Remove:
    def __init__(self, elements: list[ElementPath | Private], /) -> None:
        self._paths = [each for each in elements if isinstance(each, ElementPath)]
        self._creators = [each["private"] for each in elements if isinstance(each, dict)]

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        for path in self._paths:
            for dataset, tag in element_places(instance.dataset, path):
                dataset.pop(tag, None)
        if self._creators:
            for dataset in levels(instance.dataset):
                self._remove_private(dataset)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)

    def _remove_private(self, dataset: Dataset) -> None:
        private = [tag for tag in dataset.keys() if tag.is_private]  # noqa: SIM118 - as tags
        if "all" in self._creators:
            blocks = private
        else:
            blocks = [
                tag
                for tag in private
                if tag.is_private_creator and str(dataset[tag].value).strip() in self._creators
            ]
        # A creator at (gggg,00bb) owns (gggg,bb00) to (gggg,bbFF): PS3.5 7.8.1
        owned = {(tag.group, tag.element) for tag in blocks}
        for tag in private:
            if (tag.group, tag.element) in owned or (tag.group, tag.element >> 8) in owned:
                del dataset[tag]
