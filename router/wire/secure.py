"""TLS below an association: a socket that the lobby and a `Stream` use like any other."""

from __future__ import annotations

import hashlib
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    Buffer = bytes | bytearray | memoryview

RECORD = 16 * 1024  # the most that one TLS record carries (RFC 8446 5.1)

_ATTRIBUTES = {  # as RFC 4514 writes them
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_SPECIAL = ',+"\\<>;='


@dataclass(frozen=True)
class PeerCertificate:
    """Who a verified certificate says the peer is.

    `subject` is RFC 4514 text, `names` are the subject alternative names as `DNS:ct1.example`,
    `fingerprint` is the SHA-256 of the certificate in hexadecimal digits.
    """

    subject: str
    names: tuple[str, ...]
    fingerprint: str


class SecureSocket(ssl.SSLSocket):
    """Non-blocking TLS whose calls and errors are those of a non-blocking socket."""

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401
        try:
            return super().recv_into(buffer, nbytes, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def sendmsg(self, buffers: Iterable[Buffer], *_: Any) -> int:  # type: ignore[override]  # noqa: ANN401
        """Send one record's worth, small buffers together: a record for each would be waste.

        After BlockingIOError the same bytes have to be sent again first, as OpenSSL wants it.
        """
        try:
            return self.send(_first_record(buffers))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def shutdown(self, how: int) -> None:
        """Of the connection below: SSLSocket's would go on in clear text."""
        socket.socket.shutdown(self, how)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self.unwrap()  # close_notify; the peer's is not waited for
        super().close()


def certificate_of(connection: socket.socket) -> PeerCertificate | None:
    """The peer's, if it has shown one: only what was verified gets here."""
    if not isinstance(connection, SecureSocket):
        return None
    encoded = connection.getpeercert(binary_form=True)
    told: Any = connection.getpeercert()
    if not encoded or not told:
        return None
    names = tuple(f"{kind}:{value}" for kind, value in told.get("subjectAltName", ()))
    fingerprint = hashlib.sha256(encoded).hexdigest()
    return PeerCertificate(_subject(told.get("subject", ())), names, fingerprint)


def secured(
    connection: socket.socket, context: ssl.SSLContext, server_name: str | None = None
) -> SecureSocket:
    """The connection with TLS, its handshake still to be done; `connection` is used up.

    We are the client where `server_name` is given. Raises OSError.
    """
    context.sslsocket_class = SecureSocket
    connection.setblocking(False)
    try:
        wrapped = context.wrap_socket(
            connection,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
        )
    except ValueError as error:  # a name that cannot be asked for
        raise OSError(str(error)) from error
    assert isinstance(wrapped, SecureSocket)
    return wrapped


def shake_hands(connection: SecureSocket, timeout: float) -> None:
    """Do the whole handshake within `timeout` seconds; raises OSError."""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    while True:
        try:
            return connection.do_handshake()
        except ssl.SSLWantReadError:
            events = select.POLLIN
        except ssl.SSLWantWriteError:
            events = select.POLLOUT
        poll.register(connection, events)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError("no TLS handshake in time")


def why_refused(error: OSError) -> str:
    """What went wrong in a handshake, in OpenSSL's words: never a name the peer has sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message.removesuffix('.')}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__


def _first_record(buffers: Iterable[Buffer]) -> bytes | memoryview:
    parts: list[memoryview] = []
    room = RECORD
    for buffer in buffers:
        part = memoryview(buffer)[:room]
        parts.append(part)
        room -= len(part)
        if not room:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _subject(names: Iterable[Iterable[tuple[str, str]]]) -> str:
    """RFC 4514: the most specific name first."""
    parts = ["+".join(_attribute(kind, value) for kind, value in each) for each in names]
    return ",".join(reversed(parts))


def _attribute(kind: str, value: str) -> str:
    escaped = "".join(
        f"\\{each}" if each in _SPECIAL else each if each.isprintable() else f"\\{ord(each):02X}"
        for each in value
    )
    return f"{_ATTRIBUTES.get(kind, kind)}={escaped}"
