"""What waits for a destination has a limit: the sender is told, or the destination goes without."""

import pytest

from router.spool import Selection

from .station import data_set

SIZE = len(data_set())


def full(when: str, size: int = 2 * SIZE) -> dict[str, str]:
    limits = f"spool_limit: {size} B, when_full: {when}"
    more = f"  old: {{ae_title: OLD, host: old.example, {limits}}}"
    return {"more": more, "routes": "  - {name: everything, to: [old, pacs]}"}


def fill(started) -> None:
    for uid in ("1.2.3.1", "1.2.3.2"):
        assert started.send(uid=uid).status == 0
        started.instances(uid)


def test_the_sender_is_told_to_come_back(station):
    started = station(**full("refuse"))
    fill(started)
    response = started.send(uid="1.2.3.3")
    comment = "Too much waits for old; send again later"
    assert (response.status, response.error_comment) == (0xA700, comment)
    assert not started.ledger.where("1.2.3.3").instances


def test_there_is_room_again_when_something_was_delivered_or_discarded(station):
    started = station(**full("refuse"))
    fill(started)
    [first, _] = started.ledger.claim("old", 2)
    started.ledger.discard(Selection(destination="old"), "broken").result(20)
    assert first.size == SIZE
    assert started.send(uid="1.2.3.3").status == 0


def test_the_destination_goes_without(station, caplog):
    started = station(**full("discard"))
    fill(started)
    for uid in ("1.2.3.3", "1.2.3.4"):
        assert started.send(uid=uid).status == 0
        [instance] = started.instances(uid)
        states = {one.destination: (one.state, one.reason) for one in instance.deliveries}
        why = "more waits for it than its spool_limit"
        assert states == {"old": ("discarded", why), "pacs": ("queued", "")}
    assert caplog.text.count("destination.full destination=old") == 1


def test_held_copies_count(station):
    more = full("refuse", SIZE)["more"]
    routes = "  - {name: changed, chain: [set: {PatientName: X}], to: [old]}"
    started = station(more=more, routes=routes)
    assert started.send(uid="1.2.3.1").status == 0
    started.instances("1.2.3.1")
    started.ledger.hold(Selection(), "wait").result(20)
    assert started.send(uid="1.2.3.2").status == 0xA700


@pytest.mark.parametrize("state", ["queued", "held"])
def test_what_waits_is_known_after_a_restart(station, state):
    started = station(**full("refuse"))
    fill(started)
    if state == "held":
        started.ledger.hold(Selection(destination="old"), "wait").result(20)
    started.close()
    again = station(**full("refuse"))
    assert again.ledger.waiting_bytes("old") == 2 * SIZE
    assert again.send(uid="1.2.3.3").status == 0xA700
