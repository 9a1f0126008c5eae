"""A whole router in the test's process: listeners on loopback, worker processes, deliveries."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any, Self

from pydicom.uid import ExplicitVRLittleEndian

from router.operate.control import call
from router.operate.node import Node
from router.operate.words import describe
from router.testing.instances import encode
from router.wire import Peer, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from router.config import Config
    from router.config.files import Files
    from router.spool.reports import CopyTrail, DeliveryTrail, InstanceTrail
    from router.wire import OutgoingAssociation, Response

PATIENCE = 60.0  # seconds


class RouterUnderTest:
    """The router of a configuration, started; `close` it, or use it in a `with`.

    Its chains run in worker processes: what hangs, crashes or takes too much memory there fails as
    it does in production. Listeners should have `port: 0, bind: 127.0.0.1`.
    """

    def __init__(self, path: Path, config: Config, files: Files | None = None) -> None:
        """Raises what `dicom-router run` would say; `files`, read for `config`, are watched."""
        self.config = config
        self._node = Node(path, config, files)
        self._node.start()

    def __repr__(self) -> str:
        return f"RouterUnderTest({self._node.path})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._node.stop()

    def port(self, listener: str | None = None) -> int:
        """A listener's port; the first one's if none is named."""
        ports = {each["name"]: each["port"] for each in self.ask("status")["listeners"]}
        return int(ports[listener or next(iter(ports))])

    def associate(
        self,
        sop_class_uid: str,
        transfer_syntax: str = ExplicitVRLittleEndian,
        *,
        listener: str | None = None,
        calling_ae_title: str = "MODALITY",
    ) -> OutgoingAssociation:
        """An association with a listener, for those who send over several or keep one open."""
        settings = self.config.listeners[listener or next(iter(self.config.listeners))]
        called = settings.ae_title[0].replace("*", "ROUTER")
        peer = Peer("127.0.0.1", self.port(listener), called, calling_ae_title)
        return connect(peer, [(sop_class_uid, [transfer_syntax])])

    def send(
        self,
        *datasets: Dataset,
        transfer_syntax: str = ExplicitVRLittleEndian,
        listener: str | None = None,
        calling_ae_title: str = "MODALITY",
    ) -> list[Response]:
        """C-STORE each in an association of its own; what was answered."""
        answers = []
        for dataset in datasets:
            association = self.associate(
                dataset.SOPClassUID,
                transfer_syntax,
                listener=listener,
                calling_ae_title=calling_ae_title,
            )
            answers.append(store(association, dataset, transfer_syntax))
            association.release()
        return answers

    def instance(self, sop_instance_uid: str) -> InstanceTrail:
        """What the router knows of an instance it has accepted; waits until it does."""

        def look() -> bool:
            return bool(self._node.spool.ledger.where(sop_instance_uid).instances)

        self.until(look, "the instance is recorded")
        return self._node.spool.ledger.where(sop_instance_uid).instances[-1]

    def copy(self, sop_instance_uid: str, route: str | None = None) -> CopyTrail:
        """What a route's chain made of an instance, once it has; the first route if none is named.

        `state` is processed, skipped, held or discarded; `reason`, `plugin`, `hook` say why.
        """

        def find() -> CopyTrail:
            copies = self.instance(sop_instance_uid).copies
            return next(copy for copy in copies if route in (None, copy.route))

        self.until(lambda: find().state != "received", "its chain has run")
        return find()

    def delivery(self, sop_instance_uid: str, destination: str | None = None) -> DeliveryTrail:
        """How a delivery ended, once it has; the first destination if none is named."""

        def find() -> list[DeliveryTrail]:
            made = self.instance(sop_instance_uid).deliveries
            return [each for each in made if destination in (None, each.destination)]

        self.until(
            lambda: any(each.state != "queued" for each in find()), "it is delivered, or held"
        )
        return find()[0]

    def status(self) -> str:
        """What `dicom-router status` prints."""
        return describe(self.ask("status"))

    def ask(self, action: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """What a command is answered by the control socket: "status", "queue list", "where"..."""
        return call(self.config.spool.directory, action, **arguments)

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until it is so. Raises AssertionError when it takes longer than a minute."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what or condition}"
            time.sleep(0.02)

    @staticmethod
    def kill_workers() -> int:
        """Kill this process's worker processes, as running out of memory does; how many."""
        workers = multiprocessing.active_children()
        for worker in workers:
            worker.kill()
        return len(workers)


def store(
    association: OutgoingAssociation,
    dataset: Dataset,
    transfer_syntax: str = ExplicitVRLittleEndian,
) -> Response:
    """C-STORE an instance over an open association."""
    context = association.context_for(dataset.SOPClassUID, transfer_syntax)
    assert context is not None, "the listener does not take this SOP class and transfer syntax"
    content = encode(dataset, transfer_syntax)
    return association.store(context, dataset.SOPClassUID, dataset.SOPInstanceUID, [content])
