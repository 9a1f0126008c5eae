"""What a peer's answer, or its silence, makes of a delivery and of those behind it."""

import struct
import threading

import pytest
from pydicom.dataset import Dataset

from router.spool import Selection

from .site import CT, EXPLICIT, JPEG_LS, MR

PACS = """\
  pacs:
    ae_title: PACS
    host: 127.0.0.1
    port: {port}
    retry: {{first: 100 ms, longest: 200 ms}}
    {more}
"""


def destination(peer, more: str = "") -> str:
    return PACS.format(port=peer.port, more=more)


def status(code: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = code
    if comment:
        answer.ErrorComment = comment
    return answer


@pytest.mark.parametrize(
    ("answer", "more", "attempts"),
    [
        (status(0x0000), "", [("delivered", 0x0000, "")]),
        (status(0xB000, "coerced"), "", [("delivered", 0xB000, "coerced")]),
        (status(0xB007), "", [("delivered", 0xB007, "")]),
        (
            status(0x0111, "there already"),
            "delivered_statuses: [0x0111]",
            [("delivered", 0x0111, "there already")],
        ),
    ],
)
def test_delivered(scp, wait_until, answer, more, attempts, site):
    peer = scp(lambda event: answer)
    site.start(destination(peer, more))
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    assert site.attempts(uid) == attempts
    assert peer.uids == [uid]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(0xC000, "cannot understand"), "status 0xC000 cannot understand"),
        (status(0xA900), "status 0xA900 refused by the destination"),
        (status(0x0111), "status 0x0111 refused by the destination"),
        (status(0x0122, "no such class here"), "status 0x0122 no such class here"),
        (status(0x0124), "status 0x0124 refused by the destination"),
        (status(0x1234), "status 0x1234 refused by the destination"),
    ],
)
def test_an_object_refused_again_and_again_is_held_and_blocks_no_other(
    scp, wait_until, answer, reason, site
):
    peer = scp(lambda event: answer if event.request.AffectedSOPInstanceUID == bad else 0)
    bad = site.queue()
    site.start(destination(peer))
    for tries in (1, 2):
        good = site.queue()
        wait_until(lambda good=good: site.state(good) == "delivered")
        wait_until(lambda tries=tries: len(site.attempts(bad)) == tries)
        assert site.trail(bad).attempts[-1].retry_at is not None
        site.ledger.retry(Selection()).result()
    wait_until(lambda: site.state(bad) == "held")
    assert [outcome for outcome, *_ in site.attempts(bad)] == ["refused", "refused", "held"]
    assert site.trail(bad).reason == reason
    assert site.deliveries.outages() == {}
    site.ledger.release(Selection()).result()
    wait_until(lambda: len(site.attempts(bad)) == 4)
    assert site.attempts(bad)[-1][0] == "refused", "a release forgets the tries before it"


def test_object_tries_says_after_how_many_it_is_held(scp, wait_until, site):
    peer = scp(lambda event: 0xC000)
    site.start(destination(peer, "object_tries: 1"))
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "held")
    assert peer.uids == [uid]


def test_a_peer_out_of_resources_is_tried_until_it_takes_everything(scp, wait_until, site):
    full = threading.Event()
    full.set()
    peer = scp(lambda event: status(0xA700, "disk full") if full.is_set() else 0)
    deliveries = site.start(destination(peer))
    uids = [site.queue() for _ in range(5)]
    wait_until(lambda: (outage := deliveries.outages().get("pacs")) and outage.failures > 2)
    assert deliveries.outages()["pacs"].reason == "disk full"
    assert {site.state(uid) for uid in uids} == {"queued"}
    full.clear()
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert deliveries.outages() == {}
    tries = [attempt for uid in uids for attempt in site.attempts(uid)]
    assert set(tries) == {("retry", 0xA700, "disk full"), ("delivered", 0, "")}


@pytest.mark.parametrize("fault", ["answers 0xA700", "aborts", "closes", "is silent"])
def test_one_object_a_peer_always_fails_at_does_not_keep_the_others_from_it(
    scp, wait_until, fault, site, started
):
    silence = threading.Event()

    def answer(event):
        if event.request.AffectedSOPInstanceUID != poison:
            return 0
        if fault == "answers 0xA700":
            return 0xA700
        if fault == "aborts":
            event.assoc.abort()
        elif fault == "closes":
            event.assoc.dul.socket.close()
        else:
            silence.wait(20)
        return 0

    peer = scp(answer)
    poison = site.queue()
    others = [site.queue() for _ in range(20)]
    try:
        site.start(destination(peer, "timeouts: {response: 300 ms}\n    associations: 1"))
        wait_until(lambda: all(site.state(uid) == "delivered" for uid in others))
        assert site.state(poison) == "queued"
        assert {outcome for outcome, *_ in site.attempts(poison)} == {"retry"}
    finally:
        silence.set()


def rejecting(result: int):
    def script(connection):
        connection.recv(65536)
        connection.sendall(struct.pack(">BxLxBBB", 3, 4, result, 1, 3))
        connection.recv(1)

    return script


def closing(connection):
    connection.recv(65536)


def aborting(connection):
    connection.recv(65536)
    connection.sendall(struct.pack(">BxLxxBB", 7, 4, 2, 2))
    connection.recv(1)


def mute(connection):
    while connection.recv(65536):
        pass


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (rejecting(1), "association rejected for good: calling AE title not recognized"),
        (rejecting(2), "association rejected for now: calling AE title not recognized"),
        (closing, "connection"),
        (aborting, "abort"),
        (mute, "no answer to the association request within 0.3 s"),
    ],
)
def test_without_an_association_everything_waits_in_its_order(
    raw_scp, wait_until, script, reason, site
):
    peer = raw_scp(script)
    deliveries = site.start(destination(peer, "timeouts: {association: 300 ms}"))
    first, second = site.queue(), site.queue()
    wait_until(lambda: (outage := deliveries.outages().get("pacs")) and outage.failures > 2)
    assert reason in deliveries.outages()["pacs"].reason
    assert [attempt[:2] for attempt in site.attempts(first)] == [("retry", None)]
    assert site.attempts(second) == [], "whether it is back is asked by C-ECHO"
    assert site.state(first) == site.state(second) == "queued"


def test_a_port_nobody_listens_on(free_port, wait_until, site):
    class Nobody:
        port = free_port()

    deliveries = site.start(destination(Nobody))
    uid = site.queue()
    wait_until(lambda: site.attempts(uid))
    reason = f"cannot connect to 127.0.0.1 port {Nobody.port}: Connection refused"
    assert deliveries.outages()["pacs"].reason == reason
    assert site.attempts(uid)[0] == ("retry", None, reason)


def test_a_destination_that_is_down_delays_no_other(scp, free_port, wait_until, site):
    peer = scp()
    down = f"  down: {{ae_title: DOWN, host: 127.0.0.1, port: {free_port()}}}\n"
    site.start(destination(peer) + down)
    uids = [site.queue("pacs", "down") for _ in range(10)]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert {site.state(uid, "down") for uid in uids} == {"queued"}


def test_hold_after_holds_what_a_failing_destination_could_not_be_given(
    free_port, wait_until, site
):
    class Nobody:
        port = free_port()

    retry = "retry: {first: 50 ms, longest: 50 ms, hold_after: 150 ms}"
    text = destination(Nobody).replace("retry: {first: 100 ms, longest: 200 ms}", retry)
    site.start(text)
    uids = [site.queue(study=f"1.{number % 3}") for number in range(50)]
    wait_until(lambda: all(site.state(uid) == "held" for uid in uids))
    assert all("Connection refused" in site.trail(uid).reason for uid in uids)


@pytest.mark.parametrize("command", ["hold", "discard", "move"])
def test_what_is_held_or_given_up_is_not_sent_though_it_was_about_to_be(
    scp, wait_until, command, site
):
    sending, go_on = threading.Event(), threading.Event()

    def answer(event):
        sending.set()
        go_on.wait(20)
        return status(0)

    peer = scp(answer)
    uids = [site.queue() for _ in range(5)]
    site.start(destination(peer))
    assert sending.wait(20)
    word = "vna" if command == "move" else "no"
    assert getattr(site.ledger, command)(Selection(destination="pacs"), word).result(20) == 5
    go_on.set()
    to = "vna" if command == "move" else "pacs"
    wait_until(lambda: site.state(uids[0], to) == "delivered")
    last = site.queue()
    wait_until(lambda: site.state(last) == "delivered")
    assert peer.uids == [uids[0], last]


@pytest.mark.parametrize("moment", ["while it is sent", "after the last fragment"])
@pytest.mark.parametrize("fault", ["abort", "close"])
def test_an_association_that_ends_in_the_middle_is_opened_again_and_the_object_sent_again(
    scp, wait_until, moment, fault, site
):
    faults = [fault]

    def fail(event):
        if faults:
            faults.pop()
            event.assoc.abort() if fault == "abort" else event.assoc.dul.socket.close()
        return 0

    def begun(event):
        if event.data[0] == 4:
            fail(event)

    handlers = {"EVT_DATA_RECV": begun} if moment == "while it is sent" else {}
    peer = scp((lambda event: 0) if handlers else fail, **handlers)
    site.start(destination(peer))
    uid = site.queue(padding=300_000)
    wait_until(lambda: site.state(uid) == "delivered")
    outcomes = [outcome for outcome, *_ in site.attempts(uid)]
    assert outcomes == ["retry", "delivered"]
    assert peer.uids[-1] == uid


def test_a_peer_that_never_answers_is_given_up_on_and_tried_again(scp, wait_until, site):
    deaf, done = threading.Event(), threading.Event()

    def answer(event):
        if not deaf.is_set():
            deaf.set()
            done.wait(20)
        return 0

    peer = scp(answer)
    try:
        site.start(destination(peer, "timeouts: {response: 300 ms}"))
        uid = site.queue()
        wait_until(lambda: site.state(uid) == "delivered")
        assert site.attempts(uid)[0] == ("retry", None, "no response within 0.3 s")
    finally:
        done.set()


def test_a_kind_of_object_the_peer_takes_no_context_for_is_refused_others_are_not(
    scp, wait_until, site
):
    peer = scp(contexts={CT: [EXPLICIT]})
    unknown = [site.queue(sop_class=MR), site.queue(sop_class=MR, transfer_syntax=JPEG_LS)]
    good = site.queue()
    site.start(destination(peer))
    wait_until(lambda: site.state(good) == "delivered")
    native = "Explicit VR Little Endian or Implicit VR Little Endian"
    jpeg_ls = f"JPEG-LS Lossless Image Compression or {native}"
    for uid, names in zip(unknown, [native, jpeg_ls], strict=True):
        wait_until(lambda uid=uid: site.attempts(uid))
        [(outcome, code, reason)] = site.attempts(uid)
        assert (outcome, code) == ("refused", None)
        assert reason == (
            f"PACS accepts no MR Image Storage in {names}; "
            "it accepts CT Image Storage in Explicit VR Little Endian"
        )
    assert site.deliveries.outages() == {}


def test_a_peer_that_accepts_no_context_at_all_is_up(scp, wait_until, site):
    peer = scp(contexts={"1.2.840.10008.1.1": ["1.2.840.10008.1.2"]})
    site.start(destination(peer))
    uid = site.queue()
    wait_until(lambda: site.attempts(uid))
    assert site.attempts(uid)[0][0] == "refused"
    assert site.deliveries.outages() == {}


def test_a_file_that_is_gone_is_refused_with_the_reason_and_the_rest_is_sent(scp, wait_until, site):
    peer = scp()
    lost, good = site.queue(), site.queue(study="1.2.4")
    [file] = [
        path
        for path in (site.spool.directory / "files").glob("*/*")
        if lost.encode() in path.read_bytes() and good.encode() not in path.read_bytes()
    ]
    file.unlink()
    site.start(destination(peer))
    wait_until(lambda: site.state(good) == "delivered")
    wait_until(lambda: site.attempts(lost))
    [(outcome, code, reason)] = site.attempts(lost)
    assert (outcome, code) == ("refused", None)
    assert "No such file" in reason
