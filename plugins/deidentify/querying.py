"""Queries of those who know pseudonyms only: asked by what they stand for, answered by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from router import Hold

from .profile import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from router import Query

    from .profile import Profile
    from .reversal import ReversalMap
    from .surrogates import Surrogates

# What is no attribute of the patient, study or object, but of the question.
_OF_THE_QUERY = frozenset({"SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle"})
_PATIENT = ("PatientID", "PatientName")


class Asked:
    """Translates what is asked; raises Hold for what cannot be asked without telling who it is."""

    def __init__(
        self, profile: Profile, surrogates: Surrogates, reversal: ReversalMap | None
    ) -> None:
        self._profile = profile
        self._surrogates = surrogates
        self._map = reversal

    def translate(self, query: Query) -> None:
        """Put what pseudonyms and replaced UIDs stand for in their place.

        A Patient ID is asked for as well where matches may have to be told apart by patient.
        """
        identifier = query.identifier
        for level in _levels(identifier):
            for element in list(level):
                if element.VR != "SQ" and _says_something(element):
                    self._element(element)
        if query.service in ("find", "worklist") and "PatientID" not in identifier:
            identifier.PatientID = ""

    def _element(self, element: DataElement) -> None:
        if element.keyword in _OF_THE_QUERY:
            return
        if element.keyword in _PATIENT:
            element.value = self._patient(element)
        elif element.VR == "UI" and self._profile.everywhere.get(element.tag) is Action.UID:
            element.value = [self._uid(str(uid)) for uid in _several(element)]
        elif self._profile.everywhere.get(element.tag, Action.KEEP) is not Action.KEEP:
            raise Hold(f"asking by {element.keyword or element.tag} would tell what it hides")

    def _patient(self, element: DataElement) -> str:
        """The Patient ID, or the name, of the pseudonym's patient."""
        given = str(element.value).strip()
        if any(wildcard in given for wildcard in "*?"):
            raise Hold(f"{element.keyword} is asked for by whole pseudonyms, without wildcards")
        found = self._reversal().patient(given)
        if found is None:  # nobody's: the original ID or name must not find its patient either
            return self._surrogates.pseudonym(f"nobody\0{given}")
        return str(found.get(element.keyword) or "")

    def _uid(self, uid: str) -> str:
        """An unknown one becomes what nothing has: an original UID must not find its instance."""
        return self._reversal().uid(uid) or self._surrogates.uid(uid)

    def _reversal(self) -> ReversalMap:
        if self._map is None:
            raise Hold("asking by pseudonyms or UIDs needs `reversible: true`")
        return self._map


def _says_something(element: DataElement) -> bool:
    """Neither empty nor a wildcard for everything: such a key only asks for a value."""
    return str(element.value or "").strip() not in ("", "*")


def _several(element: DataElement) -> list[object]:
    value = element.value
    return list(value) if isinstance(value, MultiValue | list) else [value]


def _levels(dataset: Dataset) -> Iterator[Dataset]:
    waiting = [dataset]
    while waiting:
        level = waiting.pop()
        yield level
        for element in level:
            if isinstance(element.value, Sequence):
                waiting += element.value


def words_of(match: Dataset) -> frozenset[str]:
    """The words that name its patient, in small letters."""
    texts = (str(match.get(keyword) or "") for keyword in (*_PATIENT, "AccessionNumber"))
    return frozenset(word for text in texts for word in re.split(r"\W+", text.casefold()) if word)
