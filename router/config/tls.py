"""TLS as a configuration has it, and the contexts made of it: PS3.15 B.12, that is BCP 195."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, Self

from pydantic import model_validator

from router.config import values as v
from router.config.file_values import FileContent, ReadFile
from router.config.parts import Model

# RFC 9325 4.2: of TLS 1.2 only what has forward secrecy and authenticated encryption. Level 2 of
# OpenSSL refuses keys of less than 112 bits of security (RSA below 2048) and SHA-1 signatures.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
_ANY_NAME = "*"
_VERIFY = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


class ServerTls(Model):
    """TLS on a listener. All files are PEM."""

    certificate: ReadFile
    key: ReadFile
    trust: v.Many[ReadFile] = ()
    client_certificate: Literal["required", "optional", "none"] = "required"
    revoked: v.Many[ReadFile] = ()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.client_certificate != "none" and not self.trust:
            raise ValueError(
                "`trust` is missing: the authorities whose certificates are accepted; or say "
                "`client_certificate: none`"
            )
        server_context(self)
        return self


class ClientTls(Model):
    """TLS towards a destination. All files are PEM."""

    trust: v.Many[ReadFile]
    certificate: ReadFile | None = None
    key: ReadFile | None = None
    server_name: str | None = None
    revoked: v.Many[ReadFile] = ()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` need each other")
        client_context(self)
        return self

    @property
    def asked_name(self) -> str | None:
        """The name the peer is asked for, where it is not the host's."""
        return None if self.server_name == _ANY_NAME else self.server_name


@lru_cache(maxsize=64)
def server_context(tls: ServerTls) -> ssl.SSLContext:
    """Raises ValueError where the files are not what they should be."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, tls.trust, tls.revoked)
    _identify(context, tls.certificate, tls.key)
    # Who comes back shows its certificate again: it may have been revoked meanwhile.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.verify_mode = _VERIFY[tls.client_certificate]
    return context


@lru_cache(maxsize=64)
def client_context(tls: ClientTls) -> ssl.SSLContext:
    """Raises ValueError where the files are not what they should be."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, tls.trust, tls.revoked)
    context.check_hostname = tls.server_name != _ANY_NAME
    if tls.certificate and tls.key:
        _identify(context, tls.certificate, tls.key)
    return context


def _context(
    protocol: int, trust: tuple[FileContent, ...], revoked: tuple[FileContent, ...]
) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # What is trusted may be a peer's own certificate, or an authority below another.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for each in trust:
        _add(context, each, "CERTIFICATE")
    for each in revoked:
        _add(context, each, "X509 CRL")
    if revoked:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _add(context: ssl.SSLContext, file: FileContent, kind: str) -> None:
    _expect(file, kind)
    with _on_no_disk(file) as path:
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise ValueError(f"{file.path.name} has no {kind} that can be read") from None


def _identify(context: ssl.SSLContext, certificate: FileContent, key: FileContent) -> None:
    _expect(certificate, "CERTIFICATE")
    _expect(key, "PRIVATE KEY")
    with _on_no_disk(certificate) as chain, _on_no_disk(key) as private:
        try:
            context.load_cert_chain(chain, private, password=_no_passphrase)
        except _Encrypted:
            raise ValueError(
                f"{key.path.name} is encrypted: take the passphrase off, and let only the router "
                "read it"
            ) from None
        except ssl.SSLError as error:
            raise ValueError(_why(error, certificate, key)) from None


def _why(error: ssl.SSLError, certificate: FileContent, key: FileContent) -> str:
    names = f"{certificate.path.name} and {key.path.name}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{names} do not belong together"
    return f"{names} cannot be used: {(error.reason or 'no PEM').replace('_', ' ').lower()}"


def _expect(file: FileContent, kind: str) -> None:
    if f"{kind}-----".encode() not in file.content:
        raise ValueError(f"{file.path.name} has no '-----BEGIN ... {kind}-----': PEM is expected")


class _Encrypted(Exception):
    """OpenSSL asks for a passphrase; nobody is there to be asked."""


def _no_passphrase() -> str:
    raise _Encrypted


@contextmanager
def _on_no_disk(file: FileContent) -> Iterator[str]:
    """A path to what was read, for OpenSSL, which reads files only: they may be others by now."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as memory:
            memory.write(file.content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
