"""Which copies become deliveries: the rule as a table, then through the ledger."""

import pytest

from router.spool import HeldCopy, Selection, Skipped, Spool
from router.spool.settling import Candidate, settle
from tests.spool.making import accept, deliver, deliveries, finish_copies, planned, processed

HELD = HeldCopy("no consent", "consent", "filter_instance")
SKIPPED = Skipped("localizer", "skip")


def candidate(text: str, number: int) -> Candidate:
    """`state destination,destination [uid]`, of the route r1, r2..."""
    state, destinations, *uid = text.split()
    return Candidate(number, f"r{number}", state, tuple(destinations.split(",")), *(uid or ["1"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        (["processed pacs"], ["r1>pacs"]),
        (["processed pacs,vna"], ["r1>pacs", "r1>vna"]),
        (["processed pacs,pacs"], ["r1>pacs"]),
        (["processed pacs", "processed vna"], ["r1>pacs", "r2>vna"]),
        (["processed pacs", "processed pacs"], ["r1>pacs", "r2 not pacs: r1"]),
        (["processed pacs 1", "processed pacs 2"], ["r1>pacs", "r2>pacs"]),
        (
            ["processed pacs 1", "processed pacs 2", "processed pacs 1"],
            ["r1>pacs", "r2>pacs", "r3 not pacs: r1"],
        ),
        (["received pacs", "processed pacs"], []),
        (["received pacs", "processed pacs 2"], []),
        (["held pacs", "processed pacs,vna"], ["r2>vna"]),
        (["processed pacs", "received pacs"], ["r1>pacs"]),
        (["skipped pacs", "processed pacs"], ["r2>pacs"]),
        (["discarded pacs", "processed pacs"], ["r2>pacs"]),
        (["skipped pacs", "held pacs", "processed pacs"], []),
        (["skipped pacs", "discarded pacs", "processed pacs"], ["r3>pacs"]),
        (["received vna", "processed pacs", "processed pacs"], ["r2>pacs", "r3 not pacs: r2"]),
        (["skipped pacs", "discarded pacs"], []),
    ],
)
def test_the_settling_rule(copies: list[str], expected: list[str]) -> None:
    candidates = [candidate(text, number) for number, text in enumerate(copies, 1)]
    decisions = [
        f"{one.copy.route}>{one.destination}"
        if one.taken_by is None
        else f"{one.copy.route} not {one.destination}: {one.taken_by}"
        for one in settle(candidates)
    ]
    assert decisions == expected


def test_what_was_decided_is_not_decided_again() -> None:
    copies = [candidate("processed pacs,vna", 1), candidate("processed pacs", 2)]
    decisions = settle(copies, {(1, "pacs")}, {("pacs", "1"): "r1"})
    assert [(one.copy.route, one.destination, one.taken_by) for one in decisions] == [
        ("r1", "vna", None),
        ("r2", "pacs", "r1"),
    ]


def test_an_unprocessed_earlier_copy_keeps_the_destination_waiting(spool: Spool) -> None:
    accept(spool, planned("pacs", route="a", chain=True), planned("pacs", "vna", route="b"))
    assert deliveries(spool) == [("vna", "b", "queued")]


def test_a_held_earlier_copy_released_later_takes_the_destination(spool: Spool) -> None:
    accept(spool, planned("pacs", route="a", chain=True), planned("pacs", route="b"))
    finish_copies(spool, a=HELD)
    assert deliveries(spool) == []
    assert spool.ledger.release(Selection(route="a")).result(20) == 1
    finish_copies(spool, a=processed("pacs"))
    assert deliveries(spool) == [("pacs", "a", "queued"), ("pacs", "b", "suppressed")]


def test_a_skipped_earlier_copy_passes_the_destination_on(spool: Spool) -> None:
    accept(spool, planned("pacs", route="a", chain=True), planned("pacs", route="b"))
    finish_copies(spool, a=SKIPPED)
    assert deliveries(spool) == [("pacs", "b", "queued")]


def test_a_discarded_earlier_copy_passes_the_destination_on(spool: Spool) -> None:
    accept(spool, planned("pacs", route="a", chain=True), planned("pacs", route="b"))
    finish_copies(spool, a=HELD)
    spool.ledger.discard(Selection(route="a"), "wrong patient").result(20)
    assert deliveries(spool) == [("pacs", "b", "queued")]


def test_copies_with_different_outgoing_uids_are_both_sent(spool: Spool) -> None:
    accept(spool, planned("vna", route="a", chain=True), planned("vna", route="b"))
    finish_copies(spool, a=processed("vna", uid="2.25.1"))
    assert deliveries(spool) == [("vna", "a", "queued"), ("vna", "b", "queued")]
    assert [task.sop_instance_uid for task in spool.ledger.claim("vna", 9)] == [
        "2.25.1",
        "1.2.3.4.5",
    ]


def test_a_suppressed_delivery_says_which_route_sends_it(spool: Spool) -> None:
    accept(spool, planned("pacs", route="a"), planned("pacs", route="b"))
    (instance,) = spool.ledger.where("1.2.3.4.5").instances
    assert [one.reason for one in instance.deliveries] == [
        "",
        "route a sends this SOP Instance UID there",
    ]
    assert deliver(spool, "pacs") == 1


def test_a_destination_added_by_a_chain_is_not_sent_twice(spool: Spool) -> None:
    accept(spool, planned("vna", route="a", chain=True), planned("pacs", route="b"))
    finish_copies(spool, a=processed("vna", "pacs"))
    assert deliveries(spool) == [
        ("pacs", "b", "queued"),
        ("vna", "a", "queued"),
        ("pacs", "a", "suppressed"),
    ]
