"""Who may associate with a listener: networks, AE titles and named peers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING

from router.instance import Association
from router.wire import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Literal

    from router.config import Config, IPNetwork, Listener, PeerConfig
    from router.wire import AssociationRequest, PeerCertificate

# PS3.8 table 9-21: rejected-permanent by the service user
_CALLING_AE_TITLE_NOT_RECOGNIZED = 3
_CALLED_AE_TITLE_NOT_RECOGNIZED = 7
_NO_REASON_GIVEN = 1


def _nothing() -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Admitted:
    """The association as its instances will carry it, and the services it may use."""

    association: Association
    services: frozenset[str]
    sop_classes: frozenset[str] | None = None  # that may be stored; None: all
    left: Callable[[], None] = _nothing  # to be told when the association has ended

    def may_store(self, sop_class_uid: str) -> bool:
        known = self.sop_classes is None or sop_class_uid in self.sop_classes
        return known and "store" in self.services


def admit(request: AssociationRequest, name: str, config: Config) -> Admitted | Rejection:
    """Judge an association request by the listener's `ae_title` and `accept`."""
    listener = config.listeners[name]
    if not _is_any_of(request.called_ae_title, listener.ae_title):
        return _reject(_CALLED_AE_TITLE_NOT_RECOGNIZED, "called AE title not recognized")
    peer = identify(request, config.peers)
    refused = _refused(request, peer, listener)
    if refused:
        return refused
    association = Association(
        calling_ae_title=request.calling_ae_title,
        called_ae_title=request.called_ae_title,
        address=request.address,
        listener=name,
        peer=peer,
        tls_subject=request.certificate.subject if request.certificate else None,
        user=request.user.name if request.user and _asks_user(listener) else None,
        started=datetime.now(UTC),
    )
    services = frozenset[str](listener.services)
    restrictions = [listener.sop_classes]
    if peer:
        services &= frozenset(config.peers[peer].services)
        restrictions.append(config.peers[peer].sop_classes)
    lists = [frozenset(each) for each in restrictions if each != "all"]
    return Admitted(association, services, frozenset.intersection(*lists) if lists else None)


def _asks_user(listener: Listener) -> bool:
    return listener.accept is not None and listener.accept.user is not None


def identify(request: AssociationRequest, peers: Mapping[str, PeerConfig]) -> str | None:
    """The first named peer all of whose criteria the request meets."""
    for name, peer in peers.items():
        if (
            _is_any_of(request.calling_ae_title, peer.calling_ae_titles)
            and _is_any_of(request.called_ae_title, peer.called_ae_titles)
            and is_inside(request.address, peer.networks)
            and (not peer.certificate or _has_shown(request.certificate, peer.certificate))
        ):
            return name
    return None


def _has_shown(shown: PeerCertificate | None, accepted: Sequence[str]) -> bool:
    """Whether a certificate is one of those meant by fingerprint, subject or alternative name."""
    if shown is None:
        return False
    says = {f"SHA256:{shown.fingerprint}", shown.subject, *shown.names}
    return not says.isdisjoint(accepted)


def is_inside(address: str, networks: Iterable[IPNetwork]) -> bool:
    """Whether an IP address lies in one of the networks; IPv4 also where it came mapped in IPv6."""
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in networks)


def _refused(request: AssociationRequest, peer: str | None, listener: Listener) -> Rejection | None:
    accept = listener.accept
    if accept is None:
        return None
    if not is_inside(request.address, accept.networks):
        return _reject(_NO_REASON_GIVEN, "network not accepted")
    if not _is_any_of(request.calling_ae_title, accept.calling_ae_titles):
        return _reject(_CALLING_AE_TITLE_NOT_RECOGNIZED, "calling AE title not recognized")
    if accept.peers is not None and not _is_accepted_peer(peer, accept.peers):
        return _reject(_CALLING_AE_TITLE_NOT_RECOGNIZED, "not one of the accepted peers")
    if accept.user is not None and not (
        request.user and accept.user.are(request.user.name, request.user.passcode)
    ):
        return _reject(_NO_REASON_GIVEN, "no user of that name with that passcode")
    return None


def _is_accepted_peer(peer: str | None, accepted: Literal["all"] | Sequence[str]) -> bool:
    return peer is not None and (accepted == "all" or peer in accepted)


def _is_any_of(ae_title: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(ae_title, pattern.replace("[", "[[]")) for pattern in patterns)


def _reject(reason: int, text: str) -> Rejection:
    return Rejection(result=1, source=1, reason=reason, text=text)
