"""Certificates and revocation lists that a configuration uses, and for how long they still do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from router.config.file_values import FileContent
    from router.config.model import Config
    from router.config.tls import ClientTls, ServerTls

Place = tuple[str, str, str, Literal["certificate", "trust", "revoked"]]

# Told so long before, or when only that part of its life is left: lists live for days.
_SOON = ((timedelta(days=30), 4), (timedelta(days=7), 12))
OVER = len(_SOON) + 1
_PEM = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----.+?-----END \1-----", re.DOTALL)
_THEN = {
    "certificate": "without another one, peers refuse it",
    "trust": "without another one, whoever has a certificate of it is refused",
    "revoked": "without another one, every certificate is refused",
}


@dataclass(frozen=True)
class Expiring:
    """A file that will not do for long, or not any more: the first of what it holds to expire.

    `place` is where it is used: listeners, main, tls, trust. `stage` grows: 1 is soon, then `OVER`.
    """

    place: Place
    file: str
    until: datetime
    stage: int

    def __str__(self) -> str:
        when = f"{self.until:%Y-%m-%d %H:%M} UTC"
        tense = "has expired on" if self.stage == OVER else "expires on"
        return f"{self.file} {tense} {when}: {_THEN[self.place[-1]]}"


def expiring(config: Config, now: datetime) -> tuple[Expiring, ...]:
    """What somebody should renew, in the order of the configuration."""
    found = (_judged(place, file, now) for place, file in _uses(config))
    return tuple(each for each in found if each is not None)


def _uses(config: Config) -> Iterator[tuple[Place, FileContent]]:
    for kind, owners in (("listeners", config.listeners), ("destinations", config.destinations)):
        for name, owner in owners.items():
            tls: ServerTls | ClientTls | None = getattr(owner, "tls", None)
            if tls is None:
                continue
            if tls.certificate:
                yield (kind, name, "tls", "certificate"), tls.certificate
            for each in tls.trust:
                yield (kind, name, "tls", "trust"), each
            for each in tls.revoked:
                yield (kind, name, "tls", "revoked"), each


def _judged(place: Place, file: FileContent, now: datetime) -> Expiring | None:
    lives = _lives(file)
    if not lives:
        return None
    began, until = min(lives, key=lambda life: life[1])
    left, life = until - now, until - began
    stage = sum(left < min(before, life / part) for before, part in _SOON)
    if left < timedelta():
        stage = OVER
    return Expiring(place, file.path.name, until, stage) if stage else None


@lru_cache(maxsize=256)
def _lives(file: FileContent) -> tuple[tuple[datetime, datetime], ...]:
    """From when until when what is in a file counts: of several by one name the one that lasts."""
    from cryptography import x509  # a router without TLS need not wait for it

    lives: dict[str, tuple[datetime, datetime]] = {}
    for block in _PEM.finditer(file.content):
        try:
            if block[1] == b"CERTIFICATE":
                certificate = x509.load_pem_x509_certificate(block[0])
                name = certificate.subject.rfc4514_string()
                life = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            else:
                revoked = x509.load_pem_x509_crl(block[0])
                if revoked.next_update_utc is None:
                    continue
                name = revoked.issuer.rfc4514_string()
                life = revoked.last_update_utc, revoked.next_update_utc
        except Exception:  # of many kinds: OpenSSL takes what it does not
            continue
        lives[name] = max(life, lives.get(name, life), key=lambda each: each[1])
    return tuple(lives.values())
