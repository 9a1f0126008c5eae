"""The same SOP Instance UID again: what is sent, what waits its turn, what is held; all visible."""

from datetime import UTC, datetime, timedelta

import pytest

from router.config import load
from router.spool import Attempt, HeldCopy, PlannedCopy, Selection, Skipped, Spool
from tests.spool.making import LATER, NOW, accept, delivered, finish_copies, planned, processed

WEEK = timedelta(days=7)
UID = "1.2.3.4.5"
CONFIG = """
spool: {{directory: ./spool}}
listeners: {{radiology: {{bind: 127.0.0.1}}}}
destinations: {{pacs: {{ae_title: PACS, host: pacs.example, {settings}}}}}
routes: [{{name: clinical, to: [pacs]}}]
"""


@pytest.fixture
def configured(spool, tmp_path):
    """`configured("resend: never")` is a spool that follows it."""

    def follow(settings: str = "") -> Spool:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG.format(settings=settings))
        spool.ledger.follow(load(path).destinations)
        return spool

    return follow


def arrive(spool: Spool, version: str, copy: PlannedCopy | None = None) -> None:
    accept(spool, copy or planned("pacs"), digest=version.encode().ljust(32))


def states(spool: Spool) -> list[str]:
    instances = spool.ledger.where(UID).instances
    return [one.state for instance in instances for one in instance.deliveries]


def deliver_next(spool: Spool) -> int:
    """How many were offered; all of them are delivered."""
    tasks = spool.ledger.claim("pacs", 10)
    spool.ledger.finish([delivered(task.delivery_id) for task in tasks]).result(20)
    return len(tasks)


def reasons(spool: Spool) -> list[str]:
    instances = spool.ledger.where(UID).instances
    return [one.reason for instance in instances for one in instance.deliveries]


@pytest.mark.parametrize("held", [False, True])
def test_what_waits_there_already_is_not_queued_again(configured, held):
    spool = configured()
    arrive(spool, "a")
    if held:
        spool.ledger.hold(Selection(), "wait").result(20)
    arrive(spool, "a")
    assert states(spool) == ["held" if held else "queued", "suppressed"]
    assert reasons(spool)[1] == "the same waits there already"


def test_every_version_is_delivered_in_the_order_of_arrival(configured):
    spool = configured()
    told: list[set[str]] = []
    for version in "aba":
        arrive(spool, version)
    spool.ledger.subscribe(told.append)
    assert states(spool) == ["queued"] * 3
    assert reasons(spool) == ["", *["an earlier version goes first"] * 2]
    spool.ledger.retry(Selection()).result(20)
    assert [deliver_next(spool) for _ in range(4)] == [1, 1, 1, 0]
    assert {"destination:pacs"} in told
    assert states(spool) == ["delivered"] * 3


@pytest.mark.parametrize("command", ["hold", "discard"])
def test_a_later_version_follows_the_one_before_the_one_that_went(configured, command):
    spool = configured()
    for version in "abc":
        arrive(spool, version, PlannedCopy(version, ("pacs",), has_chain=False))
    getattr(spool.ledger, command)(Selection(route="b"), "no").result(20)
    assert [task.route for task in spool.ledger.claim("pacs", 10)] == ["a"]
    getattr(spool.ledger, command)(Selection(route="a"), "no").result(20)
    assert [task.route for task in spool.ledger.claim("pacs", 10)] == ["c"]


@pytest.mark.parametrize(
    ("resend", "version", "expected"),
    [
        ("always", "a", "queued"),
        ("always", "b", "queued"),
        ("if_changed", "a", "suppressed"),
        ("if_changed", "b", "queued"),
        ("never", "a", "suppressed"),
        ("never", "b", "held"),
    ],
)
def test_what_was_delivered_is_sent_again_as_configured(configured, resend, version, expected):
    spool = configured(f"resend: {resend}")
    arrive(spool, "a")
    deliver_next(spool)
    arrive(spool, version)
    assert states(spool) == ["delivered", expected]
    assert expected == "queued" or reasons(spool)[1].startswith(f"resend: {resend}")


def test_a_copy_that_leaves_with_the_same_bytes_is_the_same(configured):
    spool = configured("resend: if_changed")
    for version in "aab":
        arrive(spool, version, planned("pacs", route="changed", chain=True))
        finish_copies(spool, changed=processed("pacs", uid="9.9"))
        deliver_next(spool)
    assert states(spool) == ["delivered", "suppressed", "delivered"]


def chained(route: str = "changed", *destinations: str) -> PlannedCopy:
    return planned(*(destinations or ("pacs",)), route=route, chain=True)


def finish_in_order(spool: Spool, *versions: tuple[int, object]) -> None:
    """Finish the copies that wait, by their number in order of arrival."""
    tasks = spool.ledger.claim_copies(10)
    for number, outcome in versions:
        spool.ledger.finish_copy(tasks[number].copy_id, outcome).result(20)
    spool.ledger.release_copy_claims([task.copy_id for task in tasks])


def content(version: str):
    return processed("pacs", uid=UID, segments=(version.encode(),))


def sent_next(spool: Spool) -> list[bytes]:
    tasks = spool.ledger.claim("pacs", 10)
    spool.ledger.finish([delivered(task.delivery_id) for task in tasks]).result(20)
    return [segment for task in tasks for segment in task.segments]


def test_versions_that_chains_finish_in_another_order_go_out_in_order_of_arrival(configured):
    spool = configured()
    for version in "abc":
        arrive(spool, version, chained())
    finish_in_order(spool, (2, content("c")), (1, content("b")))
    assert states(spool) == ["queued", "queued"]
    assert reasons(spool) == ["an earlier version goes first"] * 2
    assert spool.ledger.claim("pacs", 10) == []
    spool.ledger.retry(Selection()).result(20)
    assert spool.ledger.claim("pacs", 10) == []
    finish_in_order(spool, (0, content("a")))
    assert [sent_next(spool) for _ in range(4)] == [[b"a"], [b"b"], [b"c"], []]


def test_a_version_without_a_chain_waits_for_an_earlier_one_that_has_one(configured):
    spool = configured()
    arrive(spool, "a", chained())
    arrive(spool, "b", planned("pacs", route="plain"))
    arrive(spool, "c", planned("archive", route="archived"))
    assert spool.ledger.claim("pacs", 10) == []
    assert len(spool.ledger.claim("archive", 10)) == 1, "which goes elsewhere has no such reason"
    finish_in_order(spool, (0, content("a")))
    assert [len(sent_next(spool)) for _ in range(3)] == [1, 1, 0]


@pytest.mark.parametrize(
    "outcome",
    [Skipped("not this", "skip"), HeldCopy("no", "plugin", "hook"), "hold", "discard"],
)
def test_a_version_that_does_not_go_there_stops_no_later_one(configured, outcome):
    spool = configured()
    arrive(spool, "a", chained("first"))
    arrive(spool, "b", planned("pacs", route="plain"))
    assert spool.ledger.claim("pacs", 10) == []
    if isinstance(outcome, str):
        getattr(spool.ledger, outcome)(Selection(route="first"), "no").result(20)
    else:
        finish_in_order(spool, (0, outcome))
    assert deliver_next(spool) == 1


def test_an_older_version_that_is_released_late_is_sent_only_if_somebody_says_so(configured):
    spool = configured()
    arrive(spool, "a", chained())
    arrive(spool, "b", chained())
    finish_in_order(spool, (0, HeldCopy("no", "plugin", "hook")), (1, content("b")))
    assert sent_next(spool) == [b"b"]
    spool.ledger.release(Selection()).result(20)
    finish_in_order(spool, (0, content("a")))
    assert sent_next(spool) == []
    assert reasons(spool) == ["a newer version was sent there first", ""]
    spool.ledger.release(Selection()).result(20)
    assert sent_next(spool) == [b"a"]


def test_what_a_chain_wants_to_try_later_still_goes_first(configured):
    spool = configured()
    arrive(spool, "a", chained())
    arrive(spool, "b", chained())
    wait = HeldCopy("no consent yet", "consent", "filter_instance", retry_after=3600)
    finish_in_order(spool, (0, wait), (1, content("b")))
    assert spool.ledger.claim("pacs", 10) == []
    spool.ledger.retry(Selection()).result(20)
    finish_in_order(spool, (0, content("a")))
    assert [sent_next(spool) for _ in range(2)] == [[b"a"], [b"b"]]


def test_the_same_again_that_was_finished_first_is_not_sent_twice(configured):
    spool = configured()
    for _ in range(2):
        arrive(spool, "a", chained())
    finish_in_order(spool, (1, content("a")), (0, content("a")))
    assert sorted(states(spool)) == ["queued", "suppressed"]
    assert [sent_next(spool) for _ in range(2)] == [[b"a"], []]


def test_what_waits_for_an_earlier_version_does_so_after_a_restart(configured):
    spool = configured()
    for version in "ab":
        arrive(spool, version, chained())
    finish_in_order(spool, (1, content("b")))
    spool.close()
    spool.open()
    assert spool.expire(0, LATER + timedelta(days=9000)) == 0, "nothing of it is done"
    assert spool.ledger.claim("pacs", 10) == []
    finish_in_order(spool, (0, content("a")))
    assert [sent_next(spool) for _ in range(2)] == [[b"a"], [b"b"]]


def test_what_was_held_and_released_is_tried_again_like_anything_else(configured):
    spool = configured()
    for version in "ab":
        arrive(spool, version)
    spool.ledger.hold(Selection(), "wait").result(20)
    spool.ledger.release(Selection()).result(20)
    for task in spool.ledger.claim("pacs", 10):
        later = Attempt(task.delivery_id, NOW, "refused", 0xC000, "", datetime.now(UTC) + WEEK)
        spool.ledger.finish([later]).result(20)
    assert spool.ledger.claim("pacs", 10) == []
    spool.ledger.retry(Selection()).result(20)
    assert deliver_next(spool) == 2


def test_a_copy_held_by_its_chain_is_no_delivery(configured):
    spool = configured()
    for outcome in (HeldCopy("no", "plugin", "hook"), processed("pacs")):
        arrive(spool, "a", planned("pacs", route="changed", chain=True))
        finish_copies(spool, changed=outcome)
    assert states(spool) == ["queued"]


def test_one_hop_again_and_again_is_a_loop(configured, caplog):
    spool = configured("loop_guard: 2")
    for version in "abc":
        arrive(spool, version)
        deliver_next(spool)
    assert states(spool) == ["delivered", "delivered", "held"]
    assert reasons(spool)[2] == "loop_guard: it came from this sender and went there 2 times"
    assert "loop.held destination=pacs" in caplog.text
    assert spool.ledger.summary().destinations[0].held == 1


def test_what_waits_behind_another_does_so_after_a_restart(configured):
    spool = configured()
    arrive(spool, "a")
    arrive(spool, "b")
    spool.close()
    spool.open()
    assert [deliver_next(spool) for _ in range(3)] == [1, 1, 0]
