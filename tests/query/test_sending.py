"""What goes to a move destination when that destination, or the router's own part, stumbles."""

import threading

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from router.config import DicomDestination
from router.delivery import DicomSender
from router.query.counting import Tally
from router.query.sending import Forwarder, Outgoing
from router.spool import Asked, Spool
from tests.delivery.site import NoHooks
from tests.story.sending import generate

from .peers import movescu
from .test_move import CONFIG, uid_of


class Fragile:
    """A workstation that ends the association instead of answering for some instances."""

    def __init__(self, aborts_at: set[int]) -> None:
        self.kept: list[str] = []
        self.associations = 0
        self._arrived = 0
        self._aborts_at = aborts_at
        self._lock = threading.Lock()
        entity = AE(ae_title="WS1")
        for context in AllStoragePresentationContexts[:120]:
            entity.add_supported_context(context.abstract_syntax)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_ESTABLISHED, self._established)]
        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def _established(self, event) -> None:
        with self._lock:
            self.associations += 1

    def _store(self, event) -> int:
        with self._lock:
            self._arrived += 1
            if self._arrived in self._aborts_at:
                event.assoc.abort()
            else:
                self.kept.append(event.request.AffectedSOPInstanceUID)
        return 0

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def fragile(started):
    def start(*aborts_at: int) -> Fragile:
        workstation = Fragile(set(aborts_at))
        started.append(workstation)
        return workstation

    return start


def test_a_destination_that_aborts_midway_gets_what_comes_after(
    fragile, archive, run_router, free_port, tmp_path
):
    port, workstation = free_port(), fragile(3, 6)
    pacs = archive("PACS", ROUTER=port)
    settings = {"port": port, "pacs": pacs.port, "ws1": workstation.port, "query": "", "more": ""}
    run_router(CONFIG.format(**settings))
    files = generate(tmp_path / "in", 8, 64)
    pacs.fill(*files)
    answer = movescu(port, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}")
    counts = answer.counts()
    assert answer.status == 0xB000
    assert (counts["completed"], counts["failed"], counts["warning"]) == (6, 2, 0)
    assert sorted(workstation.kept) == sorted(set(workstation.kept))
    assert len(workstation.kept) == 6
    assert workstation.associations == 3


def test_a_forwarder_goes_on_after_a_failure_of_the_router_itself(spool, wait_until):
    retrieve = spool.ledger.open_retrieve("move", "workstations", "ws1", False, Asked())
    sender = DicomSender(DicomDestination(ae_title="WS1", host="127.0.0.1"), tuple, NoHooks())
    told = []

    def tell() -> None:
        told.append(None)
        if len(told) == 1:
            raise OSError("nobody can be told")

    forwarder = Forwarder(Outgoing(spool.ledger, retrieve, sender, Tally(), "ws1"), tell)
    forwarder.start()
    wait_until(lambda: len(told) == 1)
    forwarder.wake()
    wait_until(lambda: len(told) > 1)
    forwarder.stop()
    forwarder.join(20)
    assert not forwarder.is_alive()
