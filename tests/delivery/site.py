"""A spool whose deliveries go to the destinations of a configuration, and peers to send them to."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

from router.config import load
from router.dataset import Scanner
from router.delivery import Deliveries
from router.instance import Association
from router.spool import Arrival, PlannedCopy, Spool, Stored
from router.testing import encode
from tests.routing.helpers import dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from router.instance import Sender
    from router.spool.reports import DeliveryTrail

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
JPEG_LS = "1.2.840.10008.1.2.4.80"


class Site:
    """`queue` what is to be delivered, `start`, and look at the trail."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool = Spool(directory / "spool")
        self.spool.open()
        self.ledger = self.spool.ledger
        self.deliveries: Deliveries | None = None
        self._number = 0

    def start(self, destinations: str, hooks: NoHooks | None = None) -> Deliveries:
        """Begin to deliver; `destinations` is that section of a configuration."""
        path = self.directory / "config.yaml"
        path.write_text(f"destinations:\n{destinations}")
        config = load(path)
        self.deliveries = Deliveries(self.ledger, config.destinations, hooks or NoHooks(), UTC)
        self.deliveries.start()
        return self.deliveries

    def close(self) -> None:
        if self.deliveries:
            self.deliveries.stop(10)
            self.deliveries = None
        self.spool.close()

    def queue(
        self,
        *destinations: str,
        study: str = "1.2.3",
        sop_class: str = CT,
        transfer_syntax: str = EXPLICIT,
        calling_ae_title: str = "CT1",
        padding: int = 0,
        **elements: object,
    ) -> str:
        """Accept an instance for these destinations (`pacs`); its SOP Instance UID."""
        self._number += 1
        uid = f"1.2.3.4.{self._number}"
        made = dataset(
            SOPInstanceUID=uid, SOPClassUID=sop_class, StudyInstanceUID=study, **elements
        )
        if padding:
            made.add_new(0x00091010, "OB", bytes(padding))
        self.accept(encode(made, transfer_syntax), made, transfer_syntax, destinations or ("pacs",),
                    calling_ae_title)  # fmt: skip
        return uid

    def accept(self, content, made, transfer_syntax, destinations, calling_ae_title="CT1") -> None:
        scanner = Scanner(transfer_syntax)
        scanner.feed(content)
        file = self.spool.incoming()
        file.write([content])
        file.sync()
        file.close()
        arrival = Arrival(
            stored=Stored(str(file.path), 0, len(content), scanner.finish().bulk),
            transfer_syntax=transfer_syntax,
            sop_class_uid=made.SOPClassUID,
            sop_instance_uid=made.SOPInstanceUID,
            study_instance_uid=made.StudyInstanceUID,
            series_instance_uid=made.SeriesInstanceUID,
            patient_id="",
            accession_number="",
            digest=None,
            association=_association(calling_ae_title),
            received=datetime.now(UTC),
            generation=1,
            copies=(PlannedCopy("r", destinations, False),),
        )
        self.ledger.accept(arrival).result(20)

    def trail(self, uid: str, destination: str = "pacs") -> DeliveryTrail:
        [instance] = self.ledger.where(uid).instances
        [found] = [each for each in instance.deliveries if each.destination == destination]
        return found

    def state(self, uid: str, destination: str = "pacs") -> str:
        return self.trail(uid, destination).state

    def attempts(self, uid: str, destination: str = "pacs") -> list[tuple[str, int | None, str]]:
        return [(a.outcome, a.status, a.comment) for a in self.trail(uid, destination).attempts]


class NoHooks:
    """Destinations without a chain; with `open_sender`, of a type of their own."""

    def __init__(self, open_sender: Callable[[], Sender] | None = None) -> None:
        self._open_sender = open_sender

    def rewrites(self, destination: str) -> bool:
        return False

    def assumed_character_set(self, association: Association) -> str | None:
        return None

    def tells(self, destination: str) -> bool:
        return False

    def open(self, destination: str) -> Sender:
        assert self._open_sender is not None
        return self._open_sender()


def _association(calling_ae_title: str) -> Association:
    return Association(calling_ae_title, "ROUTER", "10.1.4.7", "radiology", None, None, None,
                       datetime(2024, 3, 5, 14, 30, tzinfo=UTC))  # fmt: skip


class Scp:
    """pynetdicom's storage SCP with a handler of the test's; remembers who brought what."""

    def __init__(
        self,
        answer: Callable[[evt.Event], object] = lambda event: 0,
        contexts: Mapping[str, list[str]] | None = None,
        port: int = 0,
        **handlers: Callable[[evt.Event], object],
    ) -> None:
        self.answer = answer
        self.opened: list[evt.Event] = []
        self.received: defaultdict[int, list[str]] = defaultdict(list)  # by association
        self._lock = threading.Lock()
        self._ae = AE("PACS")
        for sop_class, syntaxes in (contexts or {CT: [EXPLICIT], MR: [EXPLICIT]}).items():
            self._ae.add_supported_context(sop_class, syntaxes)
        self._ae.maximum_associations = 50
        self._server = self._ae.make_server(
            ("127.0.0.1", port),
            server_class=ThreadedAssociationServer,
            evt_handlers=[
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_C_STORE, self._store),
                *((getattr(evt, name), handler) for name, handler in handlers.items()),
            ],
        )
        self.port: int = self._server.socket.getsockname()[1]
        # As start_server does it, but there closing takes half a second.
        self._ae._servers.append(self._server)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def uids(self) -> list[str]:
        """Of everything received, in order where one association brought it."""
        with self._lock:
            return [uid for uids in self.received.values() for uid in uids]

    def open_now(self) -> int:
        return len(self._server.active_associations)

    def close(self) -> None:
        self._ae.shutdown()

    def _accepted(self, event: evt.Event) -> None:
        self.opened.append(event)

    def _store(self, event: evt.Event) -> object:
        with self._lock:
            self.received[id(event.assoc)].append(event.request.AffectedSOPInstanceUID)
        return self.answer(event)


class RawScp:
    """A peer that plays `script(connection)` to each connection, one after the other."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(20)
                self._script(connection)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20)
