"""A hospital's certificate authority: certificates, keys and revocation lists as PEM files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DAY = timedelta(days=1)
_NO_ENCRYPTION = serialization.NoEncryption()


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path
    of: x509.Certificate

    @property
    def fingerprint(self) -> str:
        return self.of.fingerprint(hashes.SHA256()).hex(":").upper()


class Authority:
    """Issues and revokes; `trust` is its own certificate, `revoked` its list."""

    def __init__(self, directory: Path, name: str = "Hospital CA", *, days: float = 60) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = self._builder(self._name, self._key, days).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.trust = directory / f"{name}.pem"
        self.revoked = directory / f"{name}.crl"
        self.trust.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        self.revoke()

    def issue(
        self,
        name: str,
        *,
        days: float = 60,
        organization: str = "Hospital",
        names: Sequence[x509.GeneralName] | None = None,
    ) -> Issued:
        """For `localhost` and 127.0.0.1, or these names; expired where `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        if names is None:
            names = [
                x509.DNSName("localhost"),
                x509.DNSName(f"{name.lower()}.hospital"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
        certificate = (
            self._builder(_name(name, organization), key, days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path, private = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        path.write_bytes(_pem(certificate))
        private.touch(mode=0o600)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _NO_ENCRYPTION
            )
        )
        return Issued(path, private, certificate)

    def revoke(self, *certificates: Issued, days: float = 60) -> None:
        """Write the list anew; expired where `days` is negative."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now - 3 * _DAY)
            .next_update(now + days * _DAY)
        )
        for each in certificates:
            revoked = x509.RevokedCertificateBuilder().serial_number(each.of.serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(now - _DAY).build())
        signed = builder.sign(self._key, hashes.SHA256())
        self.revoked.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * _DAY)
            .not_valid_after(now + days * _DAY)
        )


def _name(name: str, organization: str = "Hospital") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
