"""Puts a text behind values: `- suffix: {PatientID: "-B", SeriesDescription: " ({StationName})"}`.

Every value of an element gets it; an element that is missing or empty stays so. A result that is
too long for its VR holds the copy.
"""

from .prefix import Prefix


class Suffix(Prefix):
    def _join(self, value: str, text: str) -> str:
        return value + text
