"""Explains a configuration: its real routes and chains on an instance, nothing kept or sent."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from router.instance import Association, Refusal
from router.intake import contexts
from router.intake.admission import Admitted, admit, identify
from router.intake.checks import find_fault, find_invalid_uid
from router.operate.asking import Asking, Bench
from router.operate.explanation import Explanation, NotExplained, Verdict
from router.operate.given import read_given
from router.routing import Routes, WorkerPool, default_workers
from router.routing.spec import chain_spec, worker_specs
from router.spool.records import HeldCopy
from router.status import PROCESSING_FAILURE, REFUSED_NOT_AUTHORISED
from router.wire import AssociationRequest, StoreRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.config import Config
    from router.operate.given import Given, Sender
    from router.routing.explain import Explained

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4  # how many of `each` are taken for each that is at work


class Explainer:
    """Explains by one configuration; use it in a `with`. Several threads may ask at a time.

    Plugins run in worker processes with their time-outs, and get empty directories of their own.
    """

    def __init__(self, config: Config, at_once: int = 1) -> None:
        """`at_once` is how many instances there may be to explain."""
        self.config = config
        configured = config.processing.workers
        most = default_workers() if configured == "auto" else configured
        self._workers = min(most, at_once)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        temporary = tempfile.TemporaryDirectory(prefix="dicom-router-explain-")
        directory = Path(self._running.enter_context(temporary))
        for name in ("plugins", "workspace", "outgoing"):
            (directory / name).mkdir()
        pool = WorkerPool(self._workers, directory / "plugins", directory / "workspace")
        self._running.callback(pool.stop)
        self._bench = _bench(self.config, pool, directory)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def directory(self) -> Path:
        """A place for files that are gone when this is closed."""
        return self._bench.directory

    def each(self, given: Iterable[T], work: Callable[[T], R]) -> Iterator[R]:
        """What `work` makes of each, in their order; it explains several at a time."""
        slots, waiting = self._bench.pool.slots, iter(given)
        with ThreadPoolExecutor(slots) as threads:
            while batch := list(islice(waiting, slots * _AHEAD)):
                yield from threads.map(work, batch)

    def explain(self, given: Given, detailed: bool = True) -> Explanation:
        """The whole way; `detailed`: with the elements that chains change."""
        association, refused = self._admit(given)
        assumed = self._bench.routes.character_sets.get(association.peer)
        given = replace(given, scan=given.scan.assuming(assumed))
        asking = Asking(self._bench, given, association, detailed)
        admission = asking.listener()
        refused += tuple(_said(admission, association.listener))
        routes = asking.routes()
        unmatched = None
        if not any(route.applies for route in routes):
            listener = self.config.listeners.get(association.listener)
            unmatched = listener.unmatched if listener else "refuse"
        if unmatched == "refuse":
            refused += (Verdict("routes", "no route takes it", REFUSED_NOT_AUTHORISED),)
        numbers = tuple(asking.numbers)
        return Explanation(given, association, refused, admission, routes, unmatched, numbers)

    def file(self, path: Path, sender: Sender) -> Explanation | NotExplained:
        """A file's way; what its chains made of it is removed again."""
        try:
            given = read_given(path, sender)
        except OSError as error:
            return NotExplained(str(path), error.strerror or str(error))
        except ValueError as error:
            return NotExplained(str(path), str(error))
        explanation = self.explain(given)
        self.clean(explanation)
        return explanation

    def clean(self, explanation: Explanation) -> None:
        """Remove the files that chains made of an instance."""
        for number in explanation.numbers:
            for name in ("workspace", "outgoing"):
                shutil.rmtree(self.directory / name / str(number), ignore_errors=True)

    def _admit(self, given: Given) -> tuple[Association, tuple[Verdict, ...]]:
        """The association as the first listener that takes it sees it, or the first of all."""
        wanted = given.sender.listener
        names = [name for name in self.config.listeners if wanted in (None, name)]
        found = [self._at(name, given) for name in names]
        if not found:  # that listener is not in this configuration, or there is none at all
            called = given.sender.called_ae_title or "ROUTER"
            return _associated(given, wanted or "", called, self.config), ()
        return next((each for each in found if not each[1]), found[0])

    def _at(self, name: str, given: Given) -> tuple[Association, tuple[Verdict, ...]]:
        titles = self.config.listeners[name].ae_title
        called = given.sender.called_ae_title
        if called is None:
            called = next((title for title in titles if not set(title) & {*"*?"}), "ROUTER")
        association = _associated(given, name, called, self.config)
        admitted = admit(_request(association), name, _with_credentials(self.config))
        if isinstance(admitted, Admitted):
            return association, tuple(_negotiated(given, admitted, self.config))
        return association, (Verdict(f"listeners.{name}", admitted.text),)


def _bench(config: Config, pool: WorkerPool, directory: Path) -> Bench:
    routes, destinations = worker_specs(config)
    generation = next((spec.generation for spec in (*routes.values(), *destinations.values())), "")
    return Bench(
        config=config,
        routes=Routes(config),
        route_chains=routes,
        destination_chains=destinations,
        listener_chains={
            name: replace(chain_spec(listener.chain, config), generation=generation)
            for name, listener in config.listeners.items()
        },
        pool=pool,
        directory=directory,
        numbers=itertools.count(1),
    )


def _associated(given: Given, listener: str, called_ae_title: str, config: Config) -> Association:
    made = Association(
        calling_ae_title=given.sender.calling_ae_title,
        called_ae_title=called_ae_title,
        address=given.sender.address,
        listener=listener,
        peer=None,
        tls_subject=None,
        user=None,
        started=given.received,
    )
    return replace(made, peer=identify(_request(made), _with_credentials(config).peers))


def _with_credentials(config: Config) -> Config:
    """As for somebody with the certificate or passcode that may be asked for."""
    peers = {
        name: peer.model_copy(update={"certificate": ()}) for name, peer in config.peers.items()
    }
    listeners = {
        name: listener.model_copy(
            update={"accept": listener.accept and listener.accept.model_copy(update={"user": None})}
        )
        for name, listener in config.listeners.items()
    }
    return config.model_copy(update={"peers": peers, "listeners": listeners})


def _request(association: Association) -> AssociationRequest:
    return AssociationRequest(
        calling_ae_title=association.calling_ae_title,
        called_ae_title=association.called_ae_title,
        address=association.address,
        port=0,
        contexts=(),
        implementation_class_uid="",
        implementation_version_name="",
        maximum_pdu=0,
    )


def _negotiated(given: Given, admitted: Admitted, config: Config) -> Iterator[Verdict]:
    """What a listener that takes the association says to this object, in the order it would."""
    name, peer = admitted.association.listener, admitted.association.peer
    offered = [given.transfer_syntax]
    wanted = config.listeners[name].transfer_syntaxes
    if "store" not in admitted.services:
        is_peers = peer is not None and "store" not in config.peers[peer].services
        where = f"peers.{peer}" if is_peers else f"listeners.{name}"
        yield Verdict(where, "its `services` do not have store")
    elif not admitted.may_store(given.sop_class_uid):
        allowed = config.listeners[name].sop_classes
        is_peers = allowed == "all" or given.sop_class_uid in allowed
        where = f"peers.{peer}" if is_peers else f"listeners.{name}"
        yield Verdict(where, "its `sop_classes` do not have this one")
    if not contexts.is_storage(given.sop_class_uid):
        yield Verdict(f"listeners.{name}", "its SOP class is not one that C-STORE brings")
    elif contexts.choose_transfer_syntax(offered, wanted) is None:
        yield Verdict(f"listeners.{name}", "its transfer syntax is not accepted")
    request = StoreRequest(
        message_id=1,
        context_id=1,
        transfer_syntax=given.transfer_syntax,
        sop_class_uid=given.sop_class_uid,
        sop_instance_uid=given.sop_instance_uid,
        priority=0,
        move_originator=None,
    )
    fault = find_invalid_uid(request) or find_fault(request, given.scan)
    if fault:
        yield Verdict(f"listeners.{name}", fault.error_comment, fault.status)


def _said(admission: Explained | None, listener: str) -> Iterator[Verdict]:
    """What a listener's chain has against the association or the instance."""
    outcome = admission.outcome if admission else None
    if admission and isinstance(outcome, Refusal | HeldCopy):
        plugin = admission.steps[-1].plugin if admission.steps else ""
        hook = admission.steps[-1].hook if admission.steps else ""
        status = outcome.status if isinstance(outcome, Refusal) else PROCESSING_FAILURE
        where = f"listeners.{listener}.chain: {plugin} ({hook})"
        yield Verdict(where, outcome.reason, None if hook == "accept_association" else status)
