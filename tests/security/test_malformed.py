"""Every hostile data set there is, plain, through `set` and through `deidentify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from router.dataset import Scanner, first, open_part10, parse_path, scan_segments
from router.wire import Peer, WireError, connect
from tests.story.peers import until
from tests.wire.peers import CT, EXPLICIT

if TYPE_CHECKING:
    from pathlib import Path

    from router.wire import Response
    from tests.story.peers import RunningRouter

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners:
  plain: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
  set: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
  deidentify: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}
destinations:
  plain: {ae_title: PLAIN, host: 127.0.0.1, port: {plain}}
  set: {ae_title: SET, host: 127.0.0.1, port: {set}}
  deidentify: {ae_title: DEIDENTIFY, host: 127.0.0.1, port: {deidentify}}
routes:
  - {name: plain, when: {listener: plain}, to: [plain]}
  - name: set
    when: {listener: set}
    chain: [{set: {PatientID: CHANGED, InstitutionName: "{Modality}"}}]
    to: [set]
  - name: deidentify
    when: {listener: deidentify}
    chain: [{deidentify: {secret: not a secret at all}}]
    to: [deidentify]
"""
MARKS = {
    "set": (parse_path("PatientID"), "CHANGED"),
    "deidentify": (parse_path("PatientIdentityRemoved"), "YES"),
}
BROKEN = (
    "crashed",
    "store.failed",
    "service_failed",
    "node.failed",
    "thread.failed",
    "spool.failed",
)
WAYS = ("plain", "set", "deidentify")
pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # a sender of such UIDs

_INSTANCE = parse_path("SOPInstanceUID")
_CLASS = parse_path("SOPClassUID")


class Hostile(NamedTuple):
    """A data set of the collection, and what its sender says of it."""

    name: str
    content: bytes
    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str


def hostile(path: Path, number: int) -> Hostile:
    """Where the meta information is what is broken, all of it is sent as if it were the data."""
    try:
        part10 = open_part10(path)
        syntax = part10.transfer_syntax
        content = path.read_bytes()[part10.dataset_offset :]
    except (ValueError, OSError):
        syntax, content = EXPLICIT, path.read_bytes()
    scanner = Scanner(syntax)
    scanner.feed(content)
    scan = scanner.finish()
    uid = first(scan, _INSTANCE) or f"1.2.3.{number}"
    return Hostile(path.name, content, syntax, first(scan, _CLASS) or CT, uid)


@pytest.fixture(scope="module")
def collection(data) -> list[Hostile]:
    paths = sorted((data / "malformed").rglob("*.dcm"))
    assert len(paths) > 350
    return [hostile(path, number) for number, path in enumerate(paths)]


def send(port: int, objects: list[Hostile]) -> dict[str, Response | None]:
    """What was answered to each; None where its context was not accepted, or it was aborted."""
    answers: dict[str, Response | None] = {}
    kinds = sorted({(each.sop_class_uid, each.transfer_syntax) for each in objects})
    contexts = [(sop_class, [syntax]) for sop_class, syntax in kinds]
    association = None
    for each in objects:
        if association is None:
            association = connect(Peer("127.0.0.1", port, "ROUTER", "HOSTILE"), contexts)
        context = association.context_for(each.sop_class_uid, each.transfer_syntax)
        try:
            answers[each.name] = context and association.store(
                context, each.sop_class_uid, each.sop_instance_uid, [each.content]
            )
        except WireError:
            answers[each.name] = association = None
    if association is not None:
        association.release()
    return answers


def accepted(objects: list[Hostile], answers: dict[str, Response | None]) -> list[Hostile]:
    return [each for each in objects if (said := answers[each.name]) and said.status == 0]


def is_settled(router: RunningRouter) -> bool:
    """Nothing waits but what is held."""
    return all(row["state"] == "held" for row in router.ask("queue list", limit=10_000))


def is_whole(each: Hostile) -> bool:
    return scan_segments([each.content], each.transfer_syntax).problem is None


def outcomes(router: RunningRouter, uid: str, route: str) -> list[str]:
    """How each copy of an instance ended, those that are held only with a reason."""
    found = []
    for instance in router.ask("where", uid=uid)["instances"]:
        of_route = [copy for copy in instance["copies"] if copy["route"] == route]
        assert all(copy["reason"] for copy in of_route if copy["state"] == "held")
        if instance["sop_instance_uid"] == uid:
            found += [copy["state"] for copy in of_route]
    return found


def test_each_is_delivered_refused_or_held(site, collection):
    router, archives = site(CONFIG, *WAYS)
    answers = {way: send(router.port(way), collection) for way in WAYS}
    taken = {way: accepted(collection, answers[way]) for way in WAYS}
    until(lambda: is_settled(router), "everything is delivered or held", 120)
    refused = [said for said in answers["plain"].values() if said and said.status]
    assert all(said.error_comment for said in refused)
    assert len(refused) < 15 < 330 < len(taken["plain"])
    came = {(each.sop_instance_uid, each.content) for each in taken["plain"]}
    delivered = archives["plain"].stores
    assert {(kept.request.sop_instance_uid, bytes(kept.data)) for kept in delivered} == came

    for way in MARKS:
        for each in taken[way]:
            states = outcomes(router, each.sop_instance_uid, way)
            same = [
                other for other in taken[way] if other.sop_instance_uid == each.sop_instance_uid
            ]
            assert len(states) == len(same), each.name
            assert set(states) <= {"processed", "held"}, each.name
            assert is_whole(each) or "held" in states, each.name
        for kept in archives[way].stores:
            scan = scan_segments([bytes(kept.data)], kept.request.transfer_syntax)
            assert scan.problem is None
            assert first(scan, MARKS[way][0]) == MARKS[way][1]
    events = router.log.read_text()
    assert not [what for what in BROKEN if what in events]
    assert router.process.poll() is None
