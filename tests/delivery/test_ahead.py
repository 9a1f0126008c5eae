"""C-STOREs ahead of their answers, to destinations that grant a window."""

import struct

from router.wire import Acceptor, Response, command
from tests.wire.peers import ABORT, RawPeer, Recorder, pdu, pdv
from tests.wire.test_window import accept, request_of, respond

from .site import EXPLICIT, IMPLICIT

DESTINATION = "  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {}, retry: {{first: 1s}}}}\n"


def granting(connection) -> RawPeer:
    """Accept the first context and a window of 16."""
    peer = RawPeer(connection)
    _, proposed = peer.receive()
    syntax = EXPLICIT if EXPLICIT.encode() in proposed else IMPLICIT  # a probe's is implicit
    peer.send(accept(struct.pack(">HH", 16, 1), syntax))
    return peer


def store_of(peer: RawPeer):
    """The next C-STORE-RQ, None at the end; a probe's C-ECHO is answered."""
    while (request := request_of(peer)) is not None and not request.has_data_set:
        peer.send(pdu(4, pdv(command.encode_response(request, Response(0)), 3)))
    return request


def all_delivered(site, uids):
    return lambda: all(site.state(uid) == "delivered" for uid in uids)


def test_a_router_takes_what_is_sent_ahead_in_order(site, wait_until):
    recorder = Recorder()
    acceptor = Acceptor("127.0.0.1", 0, recorder)
    acceptor.start()
    uids = [site.queue() for _ in range(40)]
    site.start(DESTINATION.format(acceptor.port))
    wait_until(all_delivered(site, uids))
    assert [each.request.sop_instance_uid for each in recorder.stores] == uids
    assert len(recorder.requests) == 1
    site.close()
    acceptor.close()
    acceptor.drain(0)


def test_pynetdicom_is_asked_and_sent_to_one_by_one(scp, site, wait_until):
    asked = []

    def note(event):
        asked.append((event.nr_invoked, event.nr_performed))
        return event.nr_invoked, event.nr_performed

    peer = scp(EVT_ASYNC_OPS=note)
    uids = [site.queue() for _ in range(20)]
    site.start(DESTINATION.format(peer.port))
    wait_until(all_delivered(site, uids))
    assert peer.uids == uids
    assert asked == [(16, 1)]


def test_each_answer_makes_room_for_one_more(raw_scp, site, wait_until):
    """The peer answers only when one, then two, then four are outstanding."""

    def script(connection):
        peer = granting(connection)
        for width in (1, 2, 4):
            requests = [store_of(peer) for _ in range(width)]
            respond(peer, *(each.message_id for each in requests))
        while (request := store_of(peer)) is not None:
            respond(peer, request.message_id)

    peer = raw_scp(script)
    uids = [site.queue() for _ in range(20)]
    site.start(DESTINATION.format(peer.port))
    wait_until(all_delivered(site, uids))


def test_what_was_outstanding_when_the_association_ended_is_sent_again(raw_scp, site, wait_until):
    came: list[list[str]] = []

    def script(connection):
        peer = granting(connection)
        came.append(seen := [])
        first = len(came) == 1
        while (request := store_of(peer)) is not None:
            seen.append(request.sop_instance_uid)
            if first and len(seen) == 4:  # two are answered, two are outstanding
                peer.send(ABORT)
                return
            if not first or len(seen) < 3:
                respond(peer, request.message_id)

    peer = raw_scp(script)
    uids = [site.queue() for _ in range(6)]
    site.start(DESTINATION.format(peer.port))
    wait_until(all_delivered(site, uids))
    assert came[0] == uids[:4]
    again = [uid for seen in came[1:] for uid in seen]
    assert sorted(again) == uids[2:], "what was answered is not sent again"
    outcomes = [[each[0] for each in site.attempts(uid)] for uid in uids[:4]]
    assert outcomes == [["delivered"]] * 2 + [["retry", "delivered"]] * 2


def test_a_refusal_among_others_is_that_ones_own(raw_scp, site, wait_until):
    def script(connection):
        peer = granting(connection)
        while (request := store_of(peer)) is not None:
            refused = request.sop_instance_uid == uids[3]
            respond(peer, request.message_id, status=0xA900 if refused else 0)

    uids = [site.queue() for _ in range(8)]
    peer = raw_scp(script)
    site.start(DESTINATION.format(peer.port))
    wait_until(all_delivered(site, [uid for uid in uids if uid != uids[3]]))
    wait_until(lambda: [each[1] for each in site.attempts(uids[3])] == [0xA900])
