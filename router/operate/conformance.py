"""A configuration's DICOM conformance statement: Markdown, in the order of PS3.2 annex A."""

from __future__ import annotations

from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING

from router.config import DicomDestination
from router.dataset import uid_name
from router.dataset.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from router.delivery.transcoding import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from router.intake.contexts import (
    EXPLICIT_BIG_ENDIAN,
    VERIFICATION,
    storage_classes,
    storage_transfer_syntaxes,
)
from router.query import extended
from router.query.sop_classes import SERVICES
from router.wire.limits import SENT_PDU_MAXIMUM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.config import Accept, Config, Listener, QueryRetrieve

_STATUSES = (
    ("0x0000", "Success", "the instance is kept, or has gone where `acknowledge` says"),
    ("0x0110", "Failure", "a plugin of the listener failed; send again later"),
    ("0x0124", "Refused: not authorised", "no route takes it, or a plugin refused it"),
    ("0xA700", "Refused: out of resources", "no space, or not delivered in time; send again later"),
    ("0xA900", "Error: data set does not match SOP class", "command and data set disagree"),
    ("0xC000", "Error: cannot understand", "the data set is not whole"),
)
_PEER_STATUSES = (
    ("0x0000", "delivered"),
    ("0x0001, 0x0107, 0x0116, 0xBxxx", "delivered, with a warning"),
    ("0xA7xx, 0x0210 to 0x0213", "everything for the destination waits and is tried without end"),
    ("any other", "this object is tried `object_tries` times, then held; others go on"),
)


def statement(config: Config) -> str:
    """The whole statement. What it says of peers is what the configuration says."""
    parts = (_overview(config), _networking(config), _general(config), _annexes())
    return "\n".join(line for part in parts for line in part) + "\n"


def _overview(config: Config) -> Iterator[str]:
    yield "# DICOM Conformance Statement"
    yield from ("", f"dicom-router {version('dicom-router')}, as configured.", "")
    yield from ("## 1 Conformance Statement Overview", "")
    yield from _paragraph(
        "dicom-router receives DICOM objects, may change copies of them by rules, and sends these",
        "on.",
    )
    receives, sends = bool(config.listeners), any(_dicom(config))
    rows = [
        ("Verification", "yes" if sends else "no", "yes" if receives else "no"),
        ("Storage (annex 8.1)", "yes" if sends else "no", "yes" if receives else "no"),
    ]
    asked = {service for entry in config.query_retrieve for service in entry.services}
    rows += [(uid_name(uid), "yes", "yes") for uid, service in SERVICES.items() if service in asked]
    yield from _table(("SOP class", "SCU", "SCP"), rows)
    yield from ("## 2 Table of Contents", "", "Sections are numbered as in PS3.2 annex A.", "")
    yield from ("## 3 Introduction", "")
    yield from _paragraph(
        "Written by `dicom-router conformance` from the configuration that is used. That two",
        "systems conform does not mean that they work together: that has to be tried.",
    )


def _networking(config: Config) -> Iterator[str]:
    yield from ("## 4 Networking", "", "### 4.1 Implementation Model", "")
    yield from _paragraph(
        "Each listener is an application entity that receives. What it accepts takes the routes",
        "that apply, each with a copy of its own; each destination sends with a queue of its own.",
    )
    routes = [(route.name, ", ".join(route.to) or "none") for route in config.routes]
    yield from _table(("route", "destinations"), routes)
    yield from ("### 4.2 Application Entity Specifications", "")
    numbers = count(1)
    for name, listener in config.listeners.items():
        yield from _listener(f"4.2.{next(numbers)}", name, listener)
    for name, settings in _dicom(config):
        yield from _destination(f"4.2.{next(numbers)}", name, settings)
    for entry in config.query_retrieve:
        yield from _queries(f"4.2.{next(numbers)}", entry, config)
    yield from ("### 4.3 Network Interfaces", "")
    yield from ("TCP/IP over IPv4 and IPv6, whatever the operating system has below it.", "")
    yield from ("### 4.4 Configuration", "")
    yield from ("AE titles, addresses and ports are those above; a YAML file has them.", "")


def _listener(number: str, name: str, listener: Listener) -> Iterator[str]:
    accept = listener.accept
    titles = ", ".join(listener.ae_title)
    yield from (f"#### {number} Listener {name}: receives", "")
    rows = [
        ("AE title", "any" if "*" in listener.ae_title else titles),
        ("address", f"{listener.bind} port {listener.port}"),
        ("who may associate", "anybody" if accept is None else "by the rows below"),
    ]
    if accept is not None:
        rows += [
            ("calling AE titles", ", ".join(accept.calling_ae_titles)),
            ("networks", ", ".join(map(str, accept.networks))),
            ("peers", _peers(accept)),
        ]
    rows += [
        ("associations at once", str(listener.maximum_associations)),
        ("asynchronous operations", "none: one at a time"),
        ("maximum PDU received", f"{listener.limits.pdu} bytes"),
        ("idle time-out", f"{listener.limits.idle:g} s"),
        ("Success is answered when", _ACKNOWLEDGE[listener.acknowledge]),
        *_implementation(),
    ]
    yield from _table(("", ""), rows)
    yield from _paragraph(
        "Presentation contexts: Verification, and Storage of every SOP class of annex 8.1 and of",
        "private ones, in these transfer syntaxes:",
    )
    wanted = listener.transfer_syntaxes
    syntaxes = list(storage_transfer_syntaxes()) if wanted == "all" else list(wanted)
    yield from _table(("transfer syntax", "UID"), [(uid_name(uid), uid) for uid in syntaxes])
    yield from _paragraph(_preference(wanted == "all"))
    yield from _paragraph("Answers to C-STORE:")
    yield from _table(("status", "meaning", "when"), _STATUSES)


_ACKNOWLEDGE = {
    "received": "the instance is safe on disk",
    "processed": "its routes' chains have run",
    "delivered": "the required destinations have it",
}


def _preference(follows: bool) -> str:
    if not follows:
        return "Of those proposed in a context the first in this table is accepted."
    big = uid_name(EXPLICIT_BIG_ENDIAN)
    return (
        "Private ones are accepted too. Of those proposed in a context the first is accepted, but "
        f"{uid_name(EXPLICIT_LITTLE_ENDIAN)} before {uid_name(IMPLICIT_LITTLE_ENDIAN)}, and {big} "
        "only where there is nothing else."
    )


def _destination(number: str, name: str, settings: DicomDestination) -> Iterator[str]:
    waits, retry = settings.timeouts, settings.retry
    yield from (f"#### {number} Destination {name}: sends", "")
    calling = settings.calling_ae_title
    if calling == "{calling_ae_title}":
        calling = "that of whom the object came from"
    rows = [
        ("calling AE title", calling),
        ("called AE title", settings.ae_title),
        ("address", f"{settings.host} port {settings.port}"),
        ("associations at once", str(settings.associations)),
        ("asynchronous operations", "none: one at a time"),
        ("maximum PDU sent", f"{SENT_PDU_MAXIMUM} bytes, or less as the peer says"),
        ("time-out for the connection", f"{waits.connect:g} s"),
        ("time-out for the negotiation", f"{waits.association:g} s"),
        ("time-out for a response", f"{waits.response:g} s"),
        (
            "tried again after a failure",
            f"after {retry.first:g} s, doubling to {retry.longest:g} s",
        ),
        *_implementation(),
    ]
    yield from _table(("", ""), rows)
    wanted = settings.transfer_syntaxes
    names = [] if wanted == "as_is" else [*map(uid_name, wanted)]
    names += ["the one it was received in", uid_name(EXPLICIT_LITTLE_ENDIAN)]
    last = uid_name(IMPLICIT_LITTLE_ENDIAN)
    yield from _paragraph(
        "Presentation contexts: Verification, to ask whether it is back, and Storage of what",
        f"waits, one transfer syntax each: {', '.join(names)} and {last}.",
        "The first of these that the peer accepts is used; the object is converted where it has",
        "another.",
    )
    yield from _paragraph("Answers of the peer to C-STORE:")
    yield from _table(("status", "what becomes of the object"), _PEER_STATUSES)


def _queries(number: str, entry: QueryRetrieve, config: Config) -> Iterator[str]:
    yield from (f"#### {number} Queries {entry.name}: answers from others", "")
    accept = entry.accept
    rows = [
        ("listener", entry.listener),
        ("upstreams asked", ", ".join(entry.upstreams)),
        ("calling AE titles", ", ".join(accept.calling_ae_titles)),
        ("networks", ", ".join(map(str, accept.networks))),
        ("peers", _peers(accept)),
        ("matches at most", str(entry.limit)),
        ("time for the upstreams", f"{entry.deadline:g} s"),
        ("move destinations", ", ".join(entry.move_destinations) or "none"),
    ]
    yield from _table(("", ""), rows)
    classes = [
        (uid_name(uid), uid) for uid, service in SERVICES.items() if service in entry.services
    ]
    yield from _table(("SOP class, as SCP and towards upstreams as SCU", "UID"), classes)
    yield from _paragraph(extended.statement(entry, config))


def _peers(accept: Accept) -> str:
    if accept.peers is None:
        return "any"
    return "all that are named" if accept.peers == "all" else ", ".join(accept.peers)


def _implementation() -> list[tuple[str, str]]:
    return [
        ("implementation class UID", IMPLEMENTATION_CLASS_UID),
        ("implementation version name", IMPLEMENTATION_VERSION_NAME),
    ]


def _general(config: Config) -> Iterator[str]:
    yield from ("## 5 Media Interchange", "")
    yield from _paragraph(
        "None. Folders that are destinations get DICOM files (PS3.10) without a DICOMDIR."
    )
    yield from ("## 6 Support of Character Sets", "")
    yield from _paragraph(
        "Objects are passed on in the character set they have. Rules read all of PS3.3 C.12.1.1.2,",
        "with code extensions; what a rule writes is encoded in the character set of the object.",
    )
    assumed = {
        name: peer.assume_character_set
        for name, peer in config.peers.items()
        if peer.assume_character_set
    }
    for name, character_set in assumed.items():
        yield from _paragraph(f"Objects of {name} that name none are read as {character_set}.")
    yield from ("## 7 Security", "")
    yield from _security(config)


def _security(config: Config) -> Iterator[str]:
    yield from _paragraph("Listeners admit by AE title, address and peer as above.")
    rows = [
        (f"listener {name}", _CLIENT_CERTIFICATE[each.tls.client_certificate])
        for name, each in config.listeners.items()
        if each.tls
    ]
    rows += [
        (f"destination {name}", "we show one" if each.tls.certificate else "we show none")
        for name, each in _dicom(config)
        if each.tls
    ]
    if rows:
        yield from _paragraph(
            "TLS 1.2 and 1.3 by the BCP 195 profile (PS3.15 B.12), and nothing else, on these:"
        )
        yield from _table(("connection", "certificate of the requestor"), rows)
    users = [name for name, each in config.listeners.items() if each.accept and each.accept.user]
    if users:
        yield from _paragraph(
            "User identity negotiation (PS3.7 D.3.3.7) with username and passcode is wanted by",
            f"{', '.join(users)}, with a positive response to who asks for one.",
        )


_CLIENT_CERTIFICATE = {
    "required": "is required",
    "optional": "is asked for, and may be left out",
    "none": "is not asked for",
}


def _annexes() -> Iterator[str]:
    yield from ("## 8 Annexes", "", "### 8.1 Storage SOP Classes", "")
    yield from _paragraph(
        "All attributes of an object are kept, standard and private (level 2, full), except for",
        "what the configured rules change in a route's copy.",
    )
    rows = [(name, uid) for uid, name in storage_classes().items()]
    yield from _table(("SOP class", "UID"), [(uid_name(VERIFICATION), VERIFICATION), *rows])


def _dicom(config: Config) -> Iterator[tuple[str, DicomDestination]]:
    for name, settings in config.destinations.items():
        if isinstance(settings, DicomDestination):
            yield name, settings


def _paragraph(*parts: str) -> Iterator[str]:
    yield from (" ".join(parts), "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |"
    yield ""
