"""Days of delivery: associations as the peer can take them, silence, C-ECHO, small before large."""

import threading

import pytest
from pynetdicom import evt

from .site import CT, EXPLICIT, MR

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
WITH_ECHO = {CT: [EXPLICIT], MR: [EXPLICIT], VERIFICATION: [IMPLICIT]}
PACS = """\
  pacs:
    ae_title: PACS
    host: 127.0.0.1
    port: {port}
    retry: {{first: {first}, longest: 200 ms}}
    associations: {associations}
    {more}
"""


def destination(peer, associations: int = 1, more: str = "", first: str = "50 ms") -> str:
    return PACS.format(port=peer.port, associations=associations, more=more, first=first)


def test_a_destination_begins_with_one_association_and_gets_more_as_it_works(scp, wait_until, site):
    gate = threading.Semaphore(0)
    most_before = []

    def answer(event):
        if len(peer.uids) == 1:
            gate.acquire(timeout=20)
            most_before.append(peer.open_now())
        return 0

    peer = scp(answer)
    uids = [site.queue(study=f"1.2.{number % 4}") for number in range(100)]
    site.start(destination(peer, 4))
    wait_until(lambda: peer.uids)
    gate.release()
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert most_before == [1]
    assert len(peer.opened) == 4


def test_a_peer_with_room_for_fewer_gets_everything_over_those(scp, wait_until, site):
    peer = scp()
    peer._ae.maximum_associations = 2
    uids = [site.queue(study=f"1.2.{number % 5}") for number in range(200)]
    deliveries = site.start(destination(peer, 5))
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert deliveries.outages() == {}
    tries = [attempt for uid in uids for attempt in site.attempts(uid)]
    refused = [comment for outcome, _, comment in tries if outcome == "retry"]
    assert all("local limit exceeded" in comment for comment in refused)
    assert len(refused) < 10, "it was not asked again and again"


@pytest.mark.parametrize("contexts", [WITH_ECHO, {CT: [EXPLICIT]}])
def test_a_dead_destination_is_asked_by_c_echo_and_no_object_is_burnt(
    scp, free_port, wait_until, site, contexts
):
    class Nobody:
        port = free_port()

    echoes = []
    uid = site.queue()
    deliveries = site.start(destination(Nobody))
    wait_until(lambda: (outage := deliveries.outages().get("pacs")) and outage.failures > 2)
    assert [outcome for outcome, *_ in site.attempts(uid)] == ["retry"]
    peer = scp(contexts=contexts, port=Nobody.port, EVT_C_ECHO=lambda event: echoes.append(1) or 0)
    wait_until(lambda: site.state(uid) == "delivered")
    assert [outcome for outcome, *_ in site.attempts(uid)] == ["retry", "delivered"]
    assert len(echoes) == (1 if contexts is WITH_ECHO else 0), "one that offers no C-ECHO is up"
    assert len(peer.opened) == 2


@pytest.mark.parametrize("fault", ["refuses", "aborts", "is silent"])
def test_a_destination_whose_c_echo_fails_is_still_dead(scp, wait_until, site, started, fault):
    failing, done = threading.Event(), threading.Event()
    failing.set()

    def echo(event: evt.Event) -> int:
        if failing.is_set() and fault == "aborts":
            event.assoc.abort()
        elif failing.is_set() and fault == "is silent":
            done.wait(20)
        return 0x0122 if failing.is_set() and fault == "refuses" else 0

    def answer(event):
        return 0xA700 if failing.is_set() else 0

    peer = scp(answer, contexts=WITH_ECHO, EVT_C_ECHO=echo)
    uids = [site.queue() for _ in range(3)]
    try:
        deliveries = site.start(destination(peer, more="timeouts: {response: 200 ms}"))
        wait_until(lambda: (outage := deliveries.outages().get("pacs")) and outage.failures > 2)
        assert deliveries.outages()["pacs"].reason.startswith("C-ECHO")
        assert len(peer.uids) == 1
    finally:
        failing.clear()
        done.set()
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))


def test_ten_images_overtake_a_large_study_that_is_being_sent(scp, wait_until, site):
    gate = threading.Semaphore(0)

    def answer(event):
        gate.acquire(timeout=20)
        return 0

    peer = scp(answer)
    large = [site.queue(study="1.2.1") for _ in range(200)]
    site.start(destination(peer))
    wait_until(lambda: peer.uids)
    small = [site.queue(study="1.2.2") for _ in range(10)]
    gate.release(1000)
    wait_until(lambda: len(peer.uids) == 210)
    position = [peer.uids.index(uid) for uid in small]
    assert position == list(range(position[0], position[0] + 10)), "together and in order"
    assert position[0] <= 16
    assert [uid for uid in peer.uids if uid in set(large)] == large, "the other kept its order"
    assert len(peer.opened) == 1


def test_what_waited_for_days_is_neither_held_nor_forgotten(scp, free_port, wait_until, site):
    class Nobody:
        port = free_port()

    uids = [site.queue(study=f"1.2.{number % 7}") for number in range(50)]
    deliveries = site.start(destination(Nobody, 2, first="10 ms"))
    wait_until(lambda: (outage := deliveries.outages().get("pacs")) and outage.failures > 8)
    assert {site.state(uid) for uid in uids} == {"queued"}
    peer = scp(port=Nobody.port)
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert sorted(peer.uids) == sorted(uids)
