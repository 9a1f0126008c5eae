"""Replaces values by keyed hashes of them: `- hash: {elements: [PatientID], secret: !file key}`.

The same value and `secret` give the same hash in every element, instance and router, so what
belongs together stays together; without the secret nobody can try values out. Texts become
letters and digits that fit their VR, UIDs valid UIDs under 2.25. UIDs of the standard, such as
SOP classes, stay. To change a UID where it is referred to as well, name these elements too:
`elements: [SOPInstanceUID, "**.ReferencedSOPInstanceUID"]`.
"""

import hmac
from hashlib import sha256

from router import (
    ElementPath,
    Instance,
    element_places,
    element_vr,
    hookimpl,
    read_texts,
    write_texts,
)

# Characters of a hash: what the VR can hold (PS3.5 6.2), and no more than tell values apart.
_LENGTHS = {"AE": 16, "CS": 16, "SH": 16, "LO": 32, "LT": 32, "PN": 32, "ST": 32, "UC": 32}
_LENGTHS |= {"UT": 32}
_OF_THE_STANDARD = "1.2.840.10008."  # PS3.5 annex A, PS3.6


class Hash:
    def __init__(self, elements: list[ElementPath], secret: str) -> None:
        if len(secret) < 16:
            raise ValueError("the secret needs 16 characters at least: `openssl rand -hex 32`")
        for path in elements:
            if element_vr(path) not in {*_LENGTHS, "UI"}:
                told = f"{path} has VR {element_vr(path)}: only text and UIDs have a hash"
                raise ValueError(told)
        self._elements = elements
        self._secret = secret.encode()

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        for path in self._elements:
            vr = element_vr(path)
            for dataset, tag in element_places(instance.dataset, path):
                if texts := read_texts(dataset, tag):
                    write_texts(dataset, tag, [self._hash(text, vr) for text in texts])

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)

    def _hash(self, text: str, vr: str) -> str:
        if not text or text.startswith(_OF_THE_STANDARD):
            return text
        digest = hmac.digest(self._secret, text.encode(), sha256)
        if vr == "UI":
            return f"2.25.{int.from_bytes(digest[:16])}"  # PS3.5 B.2
        return digest.hex().upper()[: _LENGTHS[vr]]
