"""Which presentation contexts a listener accepts, and in which transfer syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydicom._uid_dict import UID_dictionary

from router.dataset import DEFLATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.wire import ContextOffer

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
LITTLE_ENDIAN = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)

# PS3.8 table 9-18, Result/Reason
USER_REJECTION = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

_NOT_STORED_BY_C_STORE = ("Storage Commitment", "Media Storage Directory", "Stored Print")


def is_storage(sop_class_uid: str) -> bool:
    """Whether a C-STORE may bring this SOP class: all but other services' abstract syntaxes.

    Private classes and standard storage classes younger than the dictionary are stored as well.
    """
    known = UID_dictionary.get(sop_class_uid)
    if known is None:
        standard = sop_class_uid.startswith("1.2.840.10008.")
        return not standard or sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.")
    name, kind = known[0], known[1]
    return kind == "SOP Class" and "Storage" in name and not name.startswith(_NOT_STORED_BY_C_STORE)


def name(abstract_syntax: str) -> str:
    """The standard's name of a UID, or the UID itself."""
    known = UID_dictionary.get(abstract_syntax)
    return known[0] if known else abstract_syntax


def answer(offer: ContextOffer, wanted: Literal["all"] | Sequence[str]) -> str | int:
    """The transfer syntax accepted, or that none will do, as PS3.8 table 9-18 has it."""
    chosen = choose_transfer_syntax(offer.transfer_syntaxes, wanted)
    return chosen or TRANSFER_SYNTAXES_NOT_SUPPORTED


def choose_transfer_syntax(
    offered: Sequence[str], wanted: Literal["all"] | Sequence[str]
) -> str | None:
    """The transfer syntax to accept of those offered; None when none will do.

    Deflated ones only where they are wanted by name.

    `all` follows the requestor's order, with two exceptions: Explicit before Implicit little endian
    (a data set with its VRs keeps private elements readable), and big endian only where there is
    nothing else (retired in 2006; what receives it next may not know it).
    """
    if wanted != "all":
        return next((syntax for syntax in wanted if syntax in offered), None)
    able = [syntax for syntax in offered if syntax not in DEFLATED]
    if not able:
        return None
    first = next((syntax for syntax in able if syntax != EXPLICIT_BIG_ENDIAN), able[0])
    if first == IMPLICIT_LITTLE_ENDIAN and EXPLICIT_LITTLE_ENDIAN in able:
        return EXPLICIT_LITTLE_ENDIAN
    return first


def storage_classes() -> dict[str, str]:
    """The standard's SOP classes that are stored, by UID with their names; retired ones too."""
    known = UID_dictionary.items()
    return {uid: entry[0] for uid, entry in known if entry[0] and is_storage(uid)}


def storage_transfer_syntaxes() -> dict[str, str]:
    """The standard's transfer syntaxes that objects are accepted in, by UID with their names."""
    known = UID_dictionary.items()
    return {
        uid: entry[0]
        for uid, entry in known
        if entry[1] == "Transfer Syntax" and uid not in DEFLATED
        if not entry[3] or uid == EXPLICIT_BIG_ENDIAN  # retired, and still met
    }
