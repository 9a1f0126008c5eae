"""A pytest plugin that puts our inline association in place of pynetdicom's, for its own tests.

Only what a router does not need is added here: pynetdicom's AE, server and service classes
around an association whose upper layer, DIMSE provider, reader and connection are `router.wire`'s.
`--inline scp,scu` says on which side; without it, the tests run on pynetdicom alone.
"""

import contextlib
import logging
import signal
import socket
import socketserver
import struct
import threading
import time
from copy import deepcopy

import pynetdicom.ae
import pynetdicom.tests.utils
import pynetdicom.transport
import pytest
from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR, MODE_REQUESTOR
from pynetdicom.transport import AddressInformation, RequestHandler

from router.wire import Pace, command
from router.wire.association import Association
from router.wire.inline import InlineDIMSE, InlineSocket
from router.wire.tolerance import stripped_titles

LOGGER = logging.getLogger("pynetdicom.association")
REACTION = 0.005  # seconds: some tests want to be told only after they have begun to listen
TEST_TIMEOUT = 20  # seconds; the slowest test takes two
PORTS = pytest.StashKey()


class PolledDIMSE(InlineDIMSE):
    """C-CANCELs are looked for when a service class asks, as a Q/R SCP of ours would."""

    taking = False

    @property
    def cancel_req(self):
        dul = self.dul
        if not self.taking and dul.alive:
            while dul.pump(0):
                continue
        return self._cancels

    @cancel_req.setter
    def cancel_req(self, cancels):
        self._cancels = cancels

    def take(self, context_id, encoded, data_set):
        self.taking = True
        try:
            super().take(context_id, encoded, data_set)
        finally:
            self.taking = False


class ConnectingSocket(InlineSocket):
    """Connects when the state machine says so; ours are handed a connection."""

    def connect(self, primitive):
        address = primitive.address_info.as_tuple
        try:
            self.socket.settimeout(self.assoc.connection_timeout or TEST_TIMEOUT)
            self.socket.connect(address)
            self.socket.setblocking(False)
        except OSError:
            self._is_connected = False
            primitive.result = "Evt17"
        else:
            local = AddressInformation.from_tuple(self.socket.getsockname())
            self.assoc.requestor.address_info = local
            evt.trigger(self.assoc, evt.EVT_CONN_OPEN, {"address": address})
            primitive.result = "Evt2"
        self.provider_queue.put(primitive)


class ServiceAssociation(Association):
    """Both sides: an association of a pynetdicom AE, every message a primitive."""

    def __init__(self, connection, ae, mode):
        super().__init__(
            connection,
            mode,
            artim=ae.acse_timeout,
            pace=Pace(),
            maximum_pdu=ae.maximum_pdu_size,
        )
        self._ae = ae
        self.dimse = PolledDIMSE(self)
        self.dimse_timeout = ae.dimse_timeout
        self.network_timeout = ae.network_timeout
        self._is_paused = True  # there is no reactor to wait for

    def begin(self, context_id, encoded):
        return self.begin_message(context_id, command.decode(encoded), encoded)

    def _abort_blocking(self, block=True):
        LOGGER.info("Aborting Association")
        if self.is_alive() and threading.current_thread() is not self:
            self.stream.interrupt()
            self.join(TEST_TIMEOUT)
        else:
            super()._abort_blocking(block)

    def see_the_end(self):
        """Do what pynetdicom's reactor does about the peer's A-RELEASE and A-ABORT."""
        if not self.dul.to_user_queue.queue:
            return  # not to be asked for: pynetdicom's questions look at the connection, too
        if self.is_established and self.acse.is_release_requested():
            self.confirm_release()
        elif self.acse.is_aborted():
            provider = " (A-P-ABORT)" if self.acse.is_aborted("a-p-abort") else ""
            LOGGER.info("Association Aborted%s", provider)
            self.dul.receive_pdu()
            self.is_aborted = True
            evt.trigger(self, evt.EVT_ABORTED, {})
            self.kill()


class Requesting(ServiceAssociation):
    def __init__(self, ae, mode):
        assert mode == MODE_REQUESTOR
        super().__init__(socket.socket(), ae, mode)
        self.dul.socket = None  # until `create_socket`

    def start(self):
        """Run by the calling thread."""

    @property
    def is_aborted(self):
        """There is no thread that would set it meanwhile, so look, as `is_open` does."""
        if self.is_established and not self.dimse.taking:
            self.dul.pump(0)
            self.see_the_end()
        return self._aborted

    @is_aborted.setter
    def is_aborted(self, aborted):
        self._aborted = aborted


class Accepting(ServiceAssociation):
    def __init__(self, connection, ae):
        super().__init__(connection, ae, MODE_ACCEPTOR)
        self.dul.event_queue.put("Evt5")

    def run_reactor(self):
        request = read_request(self.stream.socket, self.acse_timeout)
        self.dul.start()
        self._started_dul = True
        if request:
            self.dul.take_pdu(1, request)
            for primitive in self.dul.to_user_queue.queue:
                primitive.called_ae_title, primitive.calling_ae_title = stripped_titles(request)
        super().run_reactor()

    def _run_reactor(self):
        while not self._kill:
            arrived = self.dul.pump(self.network_timeout or TEST_TIMEOUT)
            while self.dimse.msg_queue.queue:
                context_id, message = self.dimse.get_msg()
                if message is not None:  # None: the end
                    time.sleep(REACTION)
                    self._serve_request(message, context_id)
            self.see_the_end()
            if not self.dul.usable:
                self.kill()
            elif not arrived:
                self.abort()


def create_association(handler):
    """As `RequestHandler._create_association`, which names its classes."""
    ae, server = handler.ae, handler.server
    association = Accepting(handler.request, ae)
    association._server = server
    association.name = "AcceptorThread"
    acceptor = association.acceptor
    acceptor.ae_title = server.ae_title
    acceptor.address_info = handler.local
    acceptor.implementation_class_uid = ae.implementation_class_uid
    acceptor.implementation_version_name = ae.implementation_version_name
    acceptor.supported_contexts = deepcopy(server.contexts)
    association.requestor.address_info = handler.remote
    for event, handlers in server._handlers.items():
        for bound in [handlers] if event.is_intervention else handlers:
            association.bind(event, *bound)
    return association


def read_request(connection, timeout):
    """What the lobby does, for one connection."""
    connection.settimeout(timeout)
    request = b""
    needed = 6
    with contextlib.suppress(OSError):
        while len(request) < needed:
            data = connection.recv(needed - len(request))
            if not data:
                break
            request += data
            if len(request) == 6:
                needed += struct.unpack(">BxL", request)[1]
    connection.setblocking(False)
    return request


def reserved_port():
    """A socket that listens to nothing: it keeps its port for those that allow reuse."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def create_socket(ae, association, address, tls_args):
    association.stream.socket.bind(address.as_tuple)
    return ConnectingSocket(association, association.stream)


def pytest_addoption(parser):
    parser.addoption("--inline", default="", help="sides that are ours: scp, scu, or both")


def pytest_configure(config):
    config.stash[PORTS] = [reserved_port(), reserved_port()]
    pynetdicom.tests.utils.PORTS[None] = tuple(s.getsockname()[1] for s in config.stash[PORTS])
    sides = config.getoption("--inline").split(",")
    # Stopping a server waits for one turn of its loop, which makes up most of the tests' time.
    socketserver.BaseServer.serve_forever.__defaults__ = (0.01,)
    if "scp" in sides:
        RequestHandler._create_association = create_association
    if "scu" in sides:
        pynetdicom.ae.Association = Requesting
        pynetdicom.ae.ApplicationEntity._create_socket = create_socket


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    def out_of_time(*_):
        raise TimeoutError(f"more than {TEST_TIMEOUT} s")

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TEST_TIMEOUT)
    try:
        return (yield)
    finally:
        signal.alarm(0)
