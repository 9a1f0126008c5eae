"""Keeps private elements of some creators only: `- private: [SIEMENS CSA HEADER, "GEMS_*"]`.

All others go, at any depth; `private: []` keeps none. `*` and `?` are as in conditions; case
counts.
"""

from fnmatch import fnmatchcase

from pydicom.dataset import Dataset

from router import Instance, hookimpl, levels


class Private:
    def __init__(self, creators: list[str], /) -> None:
        self._creators = [creator.strip().replace("[", "[[]") for creator in creators]

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        for dataset in levels(instance.dataset):
            self._rewrite(dataset)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)

    def _rewrite(self, dataset: Dataset) -> None:
        private = [tag for tag in dataset.keys() if tag.is_private]  # noqa: SIM118 - as tags
        kept = {tag for tag in private if tag.is_private_creator and self._is_kept(dataset, tag)}
        for tag in private:
            # A creator at (gggg,00bb) owns (gggg,bb00) to (gggg,bbFF): PS3.5 7.8.1
            if tag not in kept and tag.private_creator not in kept:
                del dataset[tag]

    def _is_kept(self, dataset: Dataset, tag: int) -> bool:
        creator = str(dataset[tag].value or "").strip()
        return any(fnmatchcase(creator, kept) for kept in self._creators)
