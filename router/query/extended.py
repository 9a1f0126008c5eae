"""SOP Class Extended Negotiation of queries and retrieves (PS3.4 C.5 and K.5.1): what is agreed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.config import FolderDestination

if TYPE_CHECKING:
    from router.config import Config, QueryRetrieve
    from router.config.querying import QueryServiceName

# Byte by byte: relational queries, date-time matching, fuzzy names, time zones, enhanced
# multi-frame conversion, empty value matching, multiple value matching.
_FIND = bytes((1, 1, 0, 1, 0, 0, 0))
_RETRIEVE = bytes((1, 0))  # relational retrieval, enhanced multi-frame conversion
_WORKLIST = bytes((1, 1, 0, 0))  # two reserved ones, fuzzy names, time zones


@dataclass(frozen=True)
class Extended:
    """What a requestor and the router agreed on for C-FINDs of one SOP class."""

    date_times: bool = False  # a range of dates and one of times are one range
    time_zones: bool = False  # the query's time zone is that of its answers


BASELINE = Extended()
_GRANTED = (
    "SOP Class Extended Negotiation is answered: relational queries and retrieves, combined "
    "date-time matching and timezone query adjustment are supported; fuzzy semantic matching of "
    "person names, enhanced multi-frame image conversion, empty value matching and multiple value "
    "matching are not."
)
_DECLINED = (
    "SOP Class Extended Negotiation is answered: none of its options is supported, and none is "
    "negotiated with upstreams. Queries are passed on as they are."
)


def answer(service: QueryServiceName, asked: bytes, entry: QueryRetrieve, config: Config) -> bytes:
    """The Service-class-application-information of the A-ASSOCIATE-AC, no longer than was asked."""
    if service == "worklist":
        return _WORKLIST[: len(asked)]
    able = _FIND if service == "find" else _RETRIEVE
    granted = _is_local(entry, config)
    return bytes(min(one, other) * granted for one, other in zip(asked, able, strict=False))


def statement(entry: QueryRetrieve, config: Config) -> str:
    """What an entry answers, for a conformance statement."""
    return _GRANTED if _is_local(entry, config) else _DECLINED


def _is_local(entry: QueryRetrieve, config: Config) -> bool:
    """Nobody but local indexes answers: what a PACS can do is not known before it is asked."""
    known = config.destinations
    return all(isinstance(known[name], FolderDestination) for name in entry.upstreams)


def agreed(answered: bytes) -> Extended:
    """What an `answer` to a C-FIND's SOP class means."""
    return Extended(answered[1:2] == b"\1", answered[3:4] == b"\1")
