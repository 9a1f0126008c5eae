"""A destination of a plugin's own type: what its `Sender` does decides about the delivery."""

import threading

import pytest

from router.instance import Hold, Instance, Rejected, Unavailable

from .site import NoHooks

OWN = """\
  pacs: {type: own.py:Own, retry: {first: 100 ms, longest: 200 ms}, object_tries: 1}
"""
PLUGIN = "class Own: pass\n"


class Sender:
    """Does with each instance what the test says."""

    def __init__(self, send) -> None:
        self._send = send
        self.closed = 0

    def send(self, instance: Instance) -> str:
        return self._send(instance)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def start(site):
    (site.directory / "own.py").write_text(PLUGIN)

    def begin(send, opened=None):
        def open_sender():
            sender = Sender(send)
            if opened is not None:
                opened.append(sender)
            return sender

        return site.start(OWN, NoHooks(open_sender))

    return begin


def test_what_it_returns_is_in_the_trail(site, start, wait_until):
    seen = []

    def send(instance):
        seen.append((instance.dataset.PatientID, instance.sop_instance_uid, instance.route))
        return "kept as 4711"

    start(send)
    uid = site.queue(PatientID="P1")
    wait_until(lambda: site.state(uid) == "delivered")
    assert site.attempts(uid) == [("delivered", None, "kept as 4711")]
    assert seen == [("P1", uid, "r")]


def test_one_that_returns_nothing_has_delivered(site, start, wait_until):
    start(lambda instance: None)
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")


def test_unavailable_makes_all_wait_until_it_is_there_again(site, start, wait_until):
    there = threading.Event()
    opened = []

    def send(instance):
        if not there.is_set():
            raise Unavailable("the cloud is away")
        return ""

    deliveries = start(send, opened)
    uids = [site.queue() for _ in range(3)]
    wait_until(lambda: (found := deliveries.outages().get("pacs")) and found.failures > 1)
    assert deliveries.outages()["pacs"].reason == "the cloud is away"
    assert opened[0].closed == 1
    there.set()
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))


SECRET = "Secret^Patient"


def fail_with(error):
    def send(instance):
        raise error

    return send


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected("no such project"), "no such project"),
        (Hold("ask the study nurse"), "ask the study nurse"),
        (ValueError(SECRET), "ValueError in the destination's sender"),
        (SystemExit(SECRET), "SystemExit in the destination's sender"),
        (RecursionError(SECRET), "RecursionError in the destination's sender"),
    ],
)
def test_what_it_raises_holds_this_object_and_stops_no_other(
    site, start, wait_until, error, reason, caplog
):
    def send(instance):
        if instance.sop_instance_uid == bad:
            raise error
        return ""

    bad = site.queue()
    start(send)
    wait_until(lambda: site.state(bad) == "held")
    good = [site.queue() for _ in range(3)]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in good))
    assert site.trail(bad).reason == reason
    assert SECRET not in str(site.ledger.where(bad))


def test_one_that_cannot_be_opened_is_tried_again(site, wait_until):
    (site.directory / "own.py").write_text(PLUGIN)
    tries = []

    def open_sender():
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("no credentials yet")
        return Sender(lambda instance: "")

    deliveries = site.start(OWN, NoHooks(open_sender))
    uid = site.queue()
    wait_until(lambda: deliveries.outages())
    assert deliveries.outages()["pacs"].reason == "no credentials yet"
    wait_until(lambda: site.state(uid) == "delivered")
    assert [outcome for outcome, *_ in site.attempts(uid)] == ["retry", "retry", "delivered"]


def test_every_lane_has_a_sender_of_its_own_and_closes_it(site, start, wait_until):
    opened = []
    both = threading.Barrier(2)

    def send(instance):
        if instance.study_instance_uid != "1.2.0":  # the second lane joins when the first works
            both.wait(20)
        return ""

    start(send, opened)
    uids = [site.queue(study=f"1.2.{number}") for number in range(3)]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    site.deliveries.stop(10)
    assert [sender.closed for sender in opened] == [1, 1]


def test_one_that_cannot_be_closed_is_left(site, start, wait_until):
    def close(self):
        raise OSError("never mind")

    opened = []
    start(lambda instance: "", opened)
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    opened[0].close = close
    site.deliveries.stop(10)
    assert [t.name for t in threading.enumerate() if t.name.startswith("deliver-")] == []
