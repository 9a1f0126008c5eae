"""What there is to be had over HTTP, by path: only to be read, and nothing that a peer has said."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import TimeoutError as NotInTime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from router.operate.web_metrics import exposition
from router.operate.web_page import CONTENT_SECURITY_POLICY, page
from router.operate.web_server import Answer
from router.operate.words import needs_attention, size
from router.spool import SpoolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config import Config
    from router.config import Web as Settings
    from router.operate.node import Node
    from router.operate.web_server import Request
    from router.operate.words import Status

T = TypeVar("T")

_FRESH = 1.0  # seconds that what was found out is good for, at least
_PART_OF_TIME = 20  # finding it out costs one part in so many of a processor's time, at most
_LEDGER_ANSWERS_WITHIN = 5.0
_OUR_WORDS = ("cannot connect to ", "association rejected ")  # of an outage, as the wire has them


class Answers:
    """Asked by one thread. How the router stands is looked up once for all who ask, and the less
    often the more there is to be counted.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._status = _Kept(lambda: discreet(node.actions.status(), node.config))
        self._stuck = _Kept(self._probe)
        self._paths: dict[str, Callable[[Request], Answer]] = {
            "/": self._page,
            "/metrics": self._metrics,
            "/status.json": self._json,
            "/health": self._health,
            "/live": self._live,
        }

    def __call__(self, request: Request, settings: Settings) -> Answer:
        if not _is_ours(request.host, settings):
            return Answer.text(421, "not by this name: see `web.hosts` of the configuration")
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b"only to be read\n", more=(("Allow", "GET, HEAD"),))
        answer = self._paths.get(request.path)
        if answer is None:
            return Answer.text(404, f"there are only {' '.join(self._paths)}")
        try:
            return answer(request)
        except SpoolError as error:
            return Answer.text(503, str(error))

    def _page(self, _: Request) -> Answer:
        headers = (("Content-Security-Policy", CONTENT_SECURITY_POLICY),)
        return Answer(200, page(self._status()).encode(), "text/html; charset=utf-8", headers)

    def _metrics(self, request: Request) -> Answer:
        tally = self._node.spool.ledger.tally()
        body, content_type = exposition(self._status(), tally, request.accept)
        return Answer(200, body, content_type)

    def _json(self, _: Request) -> Answer:
        status = self._status()
        found = {**status, "attention": needs_attention(status)}
        return Answer(200, json.dumps(found).encode(), "application/json")

    def _health(self, _: Request) -> Answer:
        """Whether instances are accepted."""
        wrong, spool = self._stuck(), self._node.spool
        if not wrong and not spool.has_room(self._node.config.spool.keep_free):
            wrong = f"disk full: {size(spool.free_bytes())} free, less than spool.keep_free"
        return _verdict(wrong)

    def _live(self, _: Request) -> Answer:
        """Whether it can go on without a restart."""
        return _verdict(self._stuck())

    def _probe(self) -> str:
        """Why nothing can be recorded; empty when it can."""
        spool = self._node.spool
        if spool.failed:
            return f"nothing more is accepted: {spool.failed}"
        try:
            spool.ledger.probe().result(_LEDGER_ANSWERS_WITHIN)
        except NotInTime:
            return f"the ledger has not answered for {_LEDGER_ANSWERS_WITHIN:.0f} s"
        except SpoolError as error:
            return str(error)
        return ""


class _Kept(Generic[T]):
    """What takes a while to find out, found out now and then."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._found: tuple[float, T] | None = None

    def __call__(self) -> T:
        if self._found is not None and time.monotonic() < self._found[0]:
            return self._found[1]
        began = time.thread_time()
        value = self._find()
        cost = time.thread_time() - began
        self._found = time.monotonic() + max(_FRESH, cost * _PART_OF_TIME), value
        return value


def _verdict(wrong: str) -> Answer:
    return Answer.text(503, wrong) if wrong else Answer.text(200, "ok")


def _is_ours(host: str, settings: Settings) -> bool:
    """A web site may point a name of its own at us, to have a visitor's browser ask us: an address
    or a name that we know is none of that kind.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return bool(ip_address(name))
    except ValueError:
        known = ("localhost", socket.gethostname(), *settings.hosts)
        return name in {each.casefold() for each in known}


def discreet(status: Status, config: Config) -> Status:
    """Without what peers have said in their own words: it may name a patient, and whoever reaches
    the port may read this. Their statuses stay.
    """
    summary, outages = status["summary"], dict(status["outages"])
    destinations = []
    for each in summary["destinations"]:
        status_said, outage = each["last_status"], outages.get(each["destination"])
        if status_said is None:
            destinations.append(each)  # nobody answered: these are our own words
            continue
        destinations.append({**each, "last_comment": ""})
        if outage and not outage["reason"].startswith(_OUR_WORDS):
            outages[each["destination"]] = {**outage, "reason": f"status 0x{status_said:04X}"}
    relaying = {n for n, each in config.listeners.items() if each.acknowledge == "delivered"}
    refusals = [
        {**each, "reason": "what a destination answered"}
        if each["listener"] in relaying and each["status"]
        else each
        for each in summary["refusals"]
    ]
    found = {**summary, "destinations": destinations, "refusals": refusals}
    return {**status, "outages": outages, "summary": found}
