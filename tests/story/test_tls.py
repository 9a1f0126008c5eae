"""A router with TLS on both sides: who is who, replaced certificates, and no key in sight."""

import socket
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from pydicom.uid import ExplicitVRLittleEndian

from router.config import (
    ClientTls,
    ConfigError,
    ServerTls,
    client_context,
    load,
    report,
    server_context,
)
from router.config.files import Files, reading
from router.testing import RouterUnderTest, make_dataset
from router.testing.routers import store
from router.wire import (
    Acceptor,
    AssociationRejected,
    ConnectFailed,
    Peer,
    Response,
    WireError,
    connect,
)
from tests.certificates import Authority
from tests.wire.peers import CT, Recorder

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main:
    port: 0
    bind: 127.0.0.1
    tls: {{certificate: ca/router.pem, key: ca/router.key, trust: [trust.pem], revoked: [list.crl]}}
    accept: {{peers: all}}
peers:
  ct1: {{certificate: "DNS:ct1.hospital"}}
destinations:
  pacs:
    ae_title: PACS
    host: localhost
    port: {port}
    tls: {{trust: ca/Hospital CA.pem, certificate: ca/router.pem, key: ca/router.key}}
routes:
  - {{name: all, to: [pacs]}}
"""


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def archive(authority):
    """A storage service provider that wants the router's certificate."""
    issued = authority.issue("pacs")
    recorder = Recorder()
    tls = ServerTls(
        certificate=str(issued.certificate), key=str(issued.key), trust=str(authority.trust)
    )
    acceptor = Acceptor("127.0.0.1", 0, recorder, tls=server_context(tls))
    acceptor.start()
    yield acceptor
    acceptor.close()
    acceptor.drain(0)


@pytest.fixture
def router(tmp_path, authority, archive):
    authority.issue("router")
    (tmp_path / "trust.pem").write_bytes(authority.trust.read_bytes())
    (tmp_path / "list.crl").write_bytes(authority.revoked.read_bytes())
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(port=archive.port))
    files = Files()
    with reading(files):
        config = load(path)
    with RouterUnderTest(path, config, files) as started:
        yield started


def associate(router, authority, who):
    tls = ClientTls(trust=str(authority.trust), certificate=str(who.certificate), key=str(who.key))
    peer = Peer("127.0.0.1", router.port(), "ROUTER", "CT1", client_context(tls))
    return connect(peer, [(CT, [ExplicitVRLittleEndian])])


def test_what_comes_over_tls_leaves_over_tls(router, authority, archive):
    association = associate(router, authority, authority.issue("CT1"))
    dataset = make_dataset(SOPClassUID=CT)
    assert store(association, dataset) == Response(0)
    association.release()
    assert router.delivery(dataset.SOPInstanceUID).state == "delivered"
    shown = archive.service.requests[0].certificate
    assert shown.subject == "CN=router,O=Hospital"
    instance = router.instance(dataset.SOPInstanceUID)
    assert instance.association.peer == "ct1"
    assert instance.association.tls_subject == "CN=CT1,O=Hospital"


def test_who_is_no_peer_is_rejected_though_its_certificate_is_good(router, authority):
    with pytest.raises(AssociationRejected, match="calling AE title not recognized"):
        associate(router, authority, authority.issue("CT2"))


def test_replaced_and_revoked_certificates_count_at_once_and_drop_nobody(
    router, authority, tmp_path
):
    ct1 = authority.issue("CT1")
    open_before = associate(router, authority, ct1)
    authority.revoke(ct1)
    (tmp_path / "list.crl").write_bytes(authority.revoked.read_bytes())
    router.until(lambda: router.ask("status")["generation"] == 2, "the list is read")
    with pytest.raises(WireError, match="connection|TLS"):
        associate(router, authority, ct1)
    ct1_again = authority.issue("CT1")
    associate(router, authority, ct1_again).release()
    before = router.ask("status")["generation"]
    fingerprint = served_fingerprint(router, authority, ct1_again)
    authority.issue("router")
    router.until(lambda: router.ask("status")["generation"] > before, "the certificate is read")
    router.until(
        lambda: served_fingerprint(router, authority, ct1_again) != fingerprint, "it is shown"
    )
    assert store(open_before, make_dataset(SOPClassUID=CT)) == Response(0)
    open_before.release()


def served_fingerprint(router, authority, who):
    context = ssl.create_default_context(cafile=str(authority.trust))
    context.load_cert_chain(who.certificate, who.key)
    raw = socket.create_connection(("127.0.0.1", router.port()), 20)
    with context.wrap_socket(raw, server_hostname="localhost") as connection:
        return connection.getpeercert(binary_form=True)


def test_an_expired_list_refuses_everybody_and_status_says_so(router, authority, tmp_path):
    """OpenSSL has no other way: who was revoked since is not known."""
    ct1 = authority.issue("CT1")
    associate(router, authority, ct1).release()
    assert router.ask("status")["expiring"] == []
    authority.revoke(days=-1)
    (tmp_path / "list.crl").write_bytes(authority.revoked.read_bytes())
    router.until(lambda: router.ask("status")["generation"] == 2, "the list is read")
    with pytest.raises(WireError, match="connection|TLS"):
        associate(router, authority, ct1)
    assert "listeners.main.tls.revoked: list.crl has expired on" in router.status()
    assert "CRL has expired" in router.status()
    authority.revoke()
    (tmp_path / "list.crl").write_bytes(authority.revoked.read_bytes())
    router.until(lambda: not router.ask("status")["expiring"], "the new list is read")
    associate(router, authority, ct1).release()


def test_a_key_that_is_half_written_changes_nothing(router, authority, tmp_path):
    (tmp_path / "ca" / "router.key").write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw")
    router.until(lambda: router.ask("status")["refused"], "it is refused")
    association = associate(router, authority, authority.issue("CT1"))
    assert store(association, make_dataset(SOPClassUID=CT)) == Response(0)
    association.release()
    assert "MC4CAQAw" not in str(router.ask("status")) + router.status()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"router.key": "other.key"}, "do not belong together"),
        ({"router.key": "encrypted.key"}, "is encrypted: take the passphrase off"),
        ({"router.key": "none.key"}, "No such file or directory"),
        ({"router.key": "router.pem"}, "PEM is expected"),
        ({"ca/router.pem": "ca/other.crl"}, "PEM is expected"),
        (", trust: [trust.pem]", "`trust` is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_without_what_is_in_it(tmp_path, authority, change, why):
    authority.issue("router")
    other = authority.issue("other")
    key = other.key.read_text()
    encrypted = serialization.load_pem_private_key(key.encode(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "ca" / "encrypted.key").write_bytes(encrypted)
    (tmp_path / "ca" / "other.crl").write_bytes(authority.revoked.read_bytes())
    (tmp_path / "trust.pem").write_bytes(authority.trust.read_bytes())
    (tmp_path / "list.crl").write_bytes(authority.revoked.read_bytes())
    text = CONFIG.format(port=104)
    listener, rest = text.split("accept:", 1)
    if isinstance(change, str):
        listener = listener.replace(change, "")
    else:
        [(old, new)] = change.items()
        listener = listener.replace(old, new)
    (tmp_path / "config.yaml").write_text(f"{listener}accept:{rest}")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    said = report(caught.value.mistakes)
    assert why in said
    assert "listeners.main.tls" in said
    assert not any(line in said for line in key.splitlines()[1:-1])


def test_a_peer_that_trusts_somebody_else_gets_nothing(router, tmp_path, authority):
    other = Authority(tmp_path / "other", "Other CA")
    with pytest.raises(ConnectFailed, match="certificate not accepted"):
        associate(router, other, authority.issue("CT1"))
