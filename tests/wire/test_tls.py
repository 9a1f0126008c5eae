"""TLS in both directions: who gets in, who does not, and that silence below it costs nothing."""

import socket
import ssl
import subprocess
import threading

import pytest

from router.config import ClientTls, ServerTls, client_context, server_context
from router.wire import (
    Acceptor,
    AcceptorLimits,
    ConnectFailed,
    Peer,
    Response,
    Timeouts,
    WireError,
    connect,
)
from tests.certificates import Authority
from tests.wire.peers import CT, ECHO, IMPLICIT, VERIFICATION, RawPeer, Recorder, associate_request

CONTEXTS = [(CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT])]
ENDED = {"check": False, "capture_output": True, "timeout": 60}


def server_tls(issued, *, trust=(), revoked=(), client_certificate="required"):
    return ServerTls(
        certificate=str(issued.certificate),
        key=str(issued.key),
        trust=tuple(map(str, trust)),
        revoked=tuple(map(str, revoked)),
        client_certificate=client_certificate,
    )


class Hospital:
    """An authority, a router and a modality, and an acceptor that wants the modality's kind."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.router = self.authority.issue("router")
        self.modality = self.authority.issue("CT1")
        self.recorder = Recorder()
        self.opened = []
        self.acceptor = Acceptor("127.0.0.1", 0, self.recorder)
        self.wants()
        self.acceptor.start()
        self.port = self.acceptor.port

    def wants(self, client_certificate="required", revoked=False):
        self.acceptor.tls = server_context(
            server_tls(
                self.router,
                trust=[self.authority.trust],
                revoked=[self.authority.revoked] if revoked else [],
                client_certificate=client_certificate,
            )
        )

    def context(self, issued=None, trust=None, **more):
        shown = {"certificate": str(issued.certificate), "key": str(issued.key)} if issued else {}
        trusted = str(trust or self.authority.trust)
        return client_context(ClientTls(trust=trusted, **shown, **more))

    def ask(self, context, server_name=None):
        peer = Peer("127.0.0.1", self.port, "ROUTER", "TEST", context, server_name)
        self.opened.append(connect(peer, CONTEXTS))
        return self.opened[-1]

    def s_client(self, *options):
        """openssl s_client's exit code and output; what it sends is no association."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-brief"]
        done = subprocess.run([*command, *options], input=b"x", **ENDED)
        return done.returncode, done.stdout + done.stderr

    def echoscu(self, *options):
        command = ["echoscu", *options, "127.0.0.1", str(self.port)]
        done = subprocess.run(command, **ENDED)
        return done.returncode, done.stdout + done.stderr

    def shown(self, issued):
        return ["-cert", str(issued.certificate), "-key", str(issued.key)]

    def dcmtk(self, issued, trust=None):
        trust = trust or self.authority.trust
        return ["+tls", str(issued.key), str(issued.certificate), "+cf", str(trust)]


@pytest.fixture
def hospital(tmp_path):
    made = Hospital(tmp_path / "ca")
    yield made
    for association in made.opened:
        association.abort()
    made.acceptor.close()
    made.acceptor.drain(0)


def test_who_shows_a_certificate_of_the_authority_gets_in(hospital):
    association = hospital.ask(hospital.context(hospital.modality))
    data = bytes(range(256)) * 4096
    assert association.store(1, CT, "1.2.3", [data, b"end"]) == Response(0)
    assert association.echo() == Response(0)
    association.release()
    assert hospital.recorder.stores[0].data == data + b"end"
    shown = hospital.recorder.requests[0].certificate
    assert shown.subject == "CN=CT1,O=Hospital"
    assert "DNS:ct1.hospital" in shown.names
    assert shown.fingerprint == hospital.modality.fingerprint.replace(":", "").lower()


def test_large_messages_pass_in_both_directions_at_once(hospital):
    data = [bytes(3_000_000)] * 3
    threads = []

    def send():
        association = hospital.ask(hospital.context(hospital.modality))
        for _ in range(5):
            assert association.store(1, CT, "1.2.3", data) == Response(0)
        association.release()

    for _ in range(3):
        threads.append(threading.Thread(target=send))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    assert [len(kept.data) for kept in hospital.recorder.stores] == [9_000_000] * 15


def test_an_idle_association_stays_open_and_is_used_again(hospital):
    association = hospital.ask(hospital.context(hospital.modality))
    assert all(association.is_open for _ in range(3))
    assert association.echo() == Response(0)
    assert association.is_open
    association.release()


@pytest.mark.parametrize("options", [["-tls1"], ["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA"]])
def test_old_protocols_and_weak_ciphers_are_refused(hospital, options, wait_until):
    allowed = [*options, *hospital.shown(hospital.modality)]
    allowed += ["-cipher", "ALL:@SECLEVEL=0"] if "-cipher" not in options else []
    code, said = hospital.s_client(*allowed)
    assert code != 0, said
    wait_until(lambda: hospital.recorder.turned)
    assert hospital.recorder.requests == []


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_current_protocols_are_accepted(hospital, version):
    code, said = hospital.s_client(version, *hospital.shown(hospital.modality))
    assert code == 0, said
    assert b"Protocol version: TLSv1." + version[-1:].encode() in said


def refused(hospital, case, directory):
    """Who is to be refused, and how it is told."""
    if case == "no certificate":
        return None, "did not return a certificate"
    if case == "expired":
        return hospital.authority.issue("OLD", days=-1), "expired"
    if case == "revoked":
        hospital.authority.revoke(hospital.modality)
        hospital.wants(revoked=True)
        return hospital.modality, "revoked"
    return Authority(directory / "other", "Other CA").issue("CT1"), "issuer certificate"


@pytest.mark.parametrize("case", ["no certificate", "expired", "revoked", "wrong authority"])
def test_who_has_no_good_certificate_is_refused_and_it_is_told_once(
    hospital, case, tmp_path, wait_until
):
    who, why = refused(hospital, case, tmp_path)
    hospital.s_client("-tls1_3", *(hospital.shown(who) if who else ()))
    wait_until(lambda: hospital.recorder.turned)
    hospital.s_client("-tls1_2", *(hospital.shown(who) if who else ()))
    with pytest.raises(WireError, match="no TLS|connection lost|closed the connection"):
        hospital.ask(hospital.context(who)).echo()
    if who:
        code, said = hospital.echoscu(*hospital.dcmtk(who))
        assert code != 0, said
    assert hospital.recorder.requests == []
    [(address, told)] = hospital.recorder.turned
    assert address == "127.0.0.1"
    assert why in told


def test_dcmtk_gets_in_with_its_certificate(hospital):
    code, said = hospital.echoscu(*hospital.dcmtk(hospital.modality))
    assert code == 0, said


def test_a_list_without_the_certificate_revokes_nothing(hospital):
    hospital.wants(revoked=True)
    assert hospital.ask(hospital.context(hospital.modality)).echo() == Response(0)


def test_certificates_may_be_left_out_where_none_is_asked_for(hospital):
    hospital.wants(client_certificate="none")
    assert hospital.ask(hospital.context()).echo() == Response(0)
    hospital.wants(client_certificate="optional")
    assert hospital.ask(hospital.context()).echo() == Response(0)
    assert hospital.ask(hospital.context(hospital.modality)).echo() == Response(0)
    certificates = [request.certificate for request in hospital.recorder.requests]
    assert [each and each.subject for each in certificates] == [None, None, "CN=CT1,O=Hospital"]


def test_a_replaced_certificate_counts_for_new_connections_only(hospital, tmp_path):
    old = hospital.ask(hospital.context(hospital.modality))
    other = Authority(tmp_path / "new", "New CA")
    hospital.acceptor.tls = server_context(
        server_tls(other.issue("router"), trust=[other.trust, hospital.authority.trust])
    )
    with pytest.raises(ConnectFailed, match="certificate not accepted"):
        hospital.ask(hospital.context(hospital.modality))
    new = hospital.ask(hospital.context(hospital.modality, trust=other.trust))
    assert old.echo() == new.echo() == Response(0)


@pytest.mark.parametrize(
    ("case", "why"),
    [("wrong authority", "self-signed"), ("wrong name", "mismatch"), ("revoked", "revoked")],
)
def test_a_destination_that_is_not_who_it_should_be_is_sent_nothing(hospital, case, why, tmp_path):
    more, name = {}, None
    if case == "wrong authority":
        more["trust"] = str(Authority(tmp_path / "other", "Other CA").trust)
    elif case == "wrong name":
        name = "archive.hospital"
    else:
        hospital.authority.revoke(hospital.router)
        more["revoked"] = str(hospital.authority.revoked)
    with pytest.raises(ConnectFailed, match=why):
        hospital.ask(hospital.context(hospital.modality, **more), name)
    assert hospital.recorder.requests == []


def test_any_name_will_do_where_it_is_said(hospital):
    context = hospital.context(hospital.modality, server_name="*")
    assert hospital.ask(context, "archive.hospital").echo() == Response(0)


def test_a_peer_without_tls_is_told_so_and_goes(hospital, wait_until):
    with RawPeer.to(hospital.port) as peer:
        peer.send(associate_request())
        while peer.socket.recv(1000):
            pass
    wait_until(lambda: hospital.recorder.turned)
    with pytest.raises(ConnectFailed, match="no TLS"):
        plain = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=lambda: plain.accept()[0].close()).start()
        connect(Peer("127.0.0.1", plain.getsockname()[1], "A", "B", hospital.context()), CONTEXTS)
    plain.close()


def test_silent_connections_stop_nobody(hospital):
    threads = threading.active_count()
    silent = [RawPeer.to(hospital.port) for _ in range(200)]
    for peer in silent[::2]:
        peer.send(b"\x16\x03\x01\x02")  # the beginning of a ClientHello
    association = hospital.ask(hospital.context(hospital.modality))
    assert association.echo() == Response(0)
    assert threading.active_count() <= threads + 1
    association.release()
    for peer in silent:
        peer.close()


def test_a_handshake_that_takes_too_long_is_over(hospital):
    hospital.acceptor.limits = AcceptorLimits(artim=0.2)
    with RawPeer.to(hospital.port) as peer:
        peer.send(b"\x16\x03\x01")
        assert peer.receive() == (0, b"")


def test_a_server_that_says_nothing_is_given_up(hospital):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ConnectFailed, match="no TLS handshake in time"):
            connect(
                Peer("127.0.0.1", port, "A", "B", hospital.context()),
                CONTEXTS,
                timeouts=Timeouts(association=0.2),
            )


def test_everything_in_one_record_is_understood(hospital):
    """What TLS decrypts at once does not show on the descriptor."""
    context = ssl.create_default_context(cafile=str(hospital.authority.trust))
    context.load_cert_chain(hospital.modality.certificate, hospital.modality.key)
    connection = socket.create_connection(("127.0.0.1", hospital.port), 20)
    with RawPeer(context.wrap_socket(connection, server_hostname="localhost")) as peer:
        peer.send(associate_request() + ECHO + ECHO)
        assert peer.receive()[0] == 2
        assert (peer.status(), peer.status()) == (0, 0)
